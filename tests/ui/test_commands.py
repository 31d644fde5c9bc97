"""The way back to the last chat, by its key and by its name."""

from tests.ui.fake_backend import FakeBackend, with_history
from tests.ui.harness import open_app


async def test_a_key_opens_the_last_chat() -> None:
    backend = with_history(FakeBackend())
    backend.start_conversation()
    async with open_app(backend) as harness:
        assert not harness.backend.conversation.messages
        await harness.pilot.press("ctrl+b")
        await harness.until(lambda: harness.backend.conversation.messages)
        assert harness.backend.conversation.title == "A sonnet"


async def test_with_no_earlier_chat_the_user_is_told() -> None:
    async with open_app() as harness:
        await harness.pilot.press("ctrl+b")
        await harness.until(lambda: any("no earlier chat" in each.message for each in harness.app._notifications))


async def test_the_palette_has_it_by_name() -> None:
    async with open_app() as harness:
        titles = [each.title for each in harness.app.get_system_commands(harness.chat)]
        assert "Continue last chat" in titles
