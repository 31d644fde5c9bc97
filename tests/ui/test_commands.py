"""The way back to the last chat, by its key and by its name."""

from tests.ui.fake_backend import FakeBackend, with_history
from tests.ui.sitting import at_open_desk


async def test_a_key_opens_the_last_chat() -> None:
    backend = with_history(FakeBackend())
    backend.start_conversation()
    async with at_open_desk(backend) as sitting:
        assert not sitting.backend.conversation.messages
        await sitting.pilot.press("ctrl+b")
        await sitting.until(lambda: sitting.backend.conversation.messages)
        assert sitting.backend.conversation.title == "A sonnet"


async def test_with_no_earlier_chat_the_user_is_told() -> None:
    async with at_open_desk() as sitting:
        await sitting.pilot.press("ctrl+b")
        await sitting.until(lambda: any("no earlier chat" in each.message for each in sitting.app._notifications))


async def test_the_palette_has_it_by_name() -> None:
    async with at_open_desk() as sitting:
        titles = [each.title for each in sitting.app.get_system_commands(sitting.chat)]
        assert "Continue last chat" in titles
