"""Another pair in the middle of a conversation, which goes on with it."""

from sparkdesk.errors import ModelLoadError
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.widgets.empty import EmptyConversation
from tests.ui.fake_backend import FakeBackend, Script, slow_opening
from tests.ui.harness import NARROW, open_app


async def test_the_conversation_goes_on_with_the_other_pair() -> None:
    async with open_app(size=NARROW) as harness:
        await harness.ask("one")
        said = harness.backend.conversation.messages
        await harness.chat.conversations.switch_model("qwen3-8b")
        await harness.until(lambda: harness.chat.stage is Stage.READY and "qwen3-8b" in harness.picture())
        assert harness.backend.conversation.messages == said
        assert harness.transcript.has_turns
        await harness.ask("two")
        assert harness.backend.conversation.messages[: len(said)] == said
        assert len(harness.backend.conversation.messages) == 4


async def test_how_far_it_is_shows_above_the_conversation_and_can_be_cancelled() -> None:
    desk = FakeBackend(Script())
    async with open_app(desk) as harness:
        await harness.ask("one")
        desk.script.open_events, desk.script.open_pause_s = slow_opening(), 0.01
        await harness.chat.conversations.switch_model("qwen3-8b")
        await harness.until(lambda: "Converting the target" in harness.banner and "%" in harness.banner)
        assert "Esc cancels" in harness.banner
        await harness.pilot.press("escape")
        await harness.until(lambda: harness.chat.stage is not Stage.LOADING)
        assert harness.chat.stage is Stage.READY
        assert "Spark Tiny stays loaded" in harness.banner
        await harness.ask("two")
        assert harness.banner == ""


async def test_a_pair_that_cannot_be_loaded_leaves_the_old_one() -> None:
    desk = FakeBackend(Script())
    async with open_app(desk) as harness:
        desk.script.switch_error = ModelLoadError("other has no target file.", "Build it again.")
        await harness.chat.conversations.switch_model("other")
        await harness.until(lambda: "other has no target file." in harness.banner)
        assert "Spark Tiny stays loaded" in harness.banner
        assert harness.chat.stage is Stage.READY
        await harness.until(lambda: harness.transcript.query(EmptyConversation))
        await harness.ask("one")


async def test_in_mid_reply_the_reply_is_stopped_and_kept_first() -> None:
    desk = FakeBackend(Script(is_gated=True))
    async with open_app(desk) as harness:
        await harness.say("one")
        desk.conversation.let(5)
        await harness.until(lambda: harness.transcript.newest.text)
        await harness.chat.conversations.switch_model("qwen3-8b")
        await harness.until(lambda: "qwen3-8b" in harness.picture())
        (_, reply) = desk.conversation.messages
        assert reply.is_partial and reply.content
