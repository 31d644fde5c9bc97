"""Another pair in the middle of a conversation, which goes on with it."""

from sparkdesk.errors import ModelLoadError
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.widgets.empty import EmptyConversation
from tests.ui.fake_backend import FakeBackend, Script, slow_opening
from tests.ui.sitting import NARROW, at_open_desk


async def test_the_conversation_goes_on_with_the_other_pair() -> None:
    async with at_open_desk(size=NARROW) as sitting:
        await sitting.ask("one")
        said = sitting.backend.conversation.messages
        await sitting.chat.conversations.switch_model("qwen3-8b")
        await sitting.until(lambda: sitting.chat.stage is Stage.READY and "qwen3-8b" in sitting.picture())
        assert sitting.backend.conversation.messages == said
        assert sitting.transcript.has_turns
        await sitting.ask("two")
        assert sitting.backend.conversation.messages[: len(said)] == said
        assert len(sitting.backend.conversation.messages) == 4


async def test_how_far_it_is_shows_above_the_conversation_and_can_be_cancelled() -> None:
    desk = FakeBackend(Script())
    async with at_open_desk(desk) as sitting:
        await sitting.ask("one")
        desk.script.open_events, desk.script.open_pause_s = slow_opening(), 0.01
        await sitting.chat.conversations.switch_model("qwen3-8b")
        await sitting.until(lambda: "Converting the target" in sitting.banner and "%" in sitting.banner)
        assert "Esc cancels" in sitting.banner
        await sitting.pilot.press("escape")
        await sitting.until(lambda: sitting.chat.stage is not Stage.LOADING)
        assert sitting.chat.stage is Stage.READY
        assert "Spark Tiny stays loaded" in sitting.banner
        await sitting.ask("two")
        assert sitting.banner == ""


async def test_a_pair_that_cannot_be_loaded_leaves_the_old_one() -> None:
    desk = FakeBackend(Script())
    async with at_open_desk(desk) as sitting:
        desk.script.switch_error = ModelLoadError("other has no target file.", "Build it again.")
        await sitting.chat.conversations.switch_model("other")
        await sitting.until(lambda: "other has no target file." in sitting.banner)
        assert "Spark Tiny stays loaded" in sitting.banner
        assert sitting.chat.stage is Stage.READY
        await sitting.until(lambda: sitting.transcript.query(EmptyConversation))
        await sitting.ask("one")


async def test_in_mid_reply_the_reply_is_stopped_and_kept_first() -> None:
    desk = FakeBackend(Script(is_gated=True))
    async with at_open_desk(desk) as sitting:
        await sitting.say("one")
        desk.conversation.let(5)
        await sitting.until(lambda: sitting.transcript.newest.text)
        await sitting.chat.conversations.switch_model("qwen3-8b")
        await sitting.until(lambda: "qwen3-8b" in sitting.picture())
        (_, reply) = desk.conversation.messages
        assert reply.is_partial and reply.content
