"""The desk survives the engine: loading that fails, is cancelled or is retried, and replies that break."""

from dataclasses import replace

from sparkdesk.errors import ModelLoadError
from sparkdesk.events import Notice
from sparkdesk.ui.chat.dialogs.export import ExportScreen
from sparkdesk.ui.chat.dialogs.leaving import LeavingScreen
from sparkdesk.ui.chat.state import Stage
from tests.ui.fake_backend import FakeBackend, Script, slow_opening
from tests.ui.harness import NARROW, WIDE, app_at, open_app


async def test_loading_shows_steps_a_rate_and_an_end() -> None:
    async with app_at(FakeBackend(Script(open_events=slow_opening(), open_pause_s=0.01)), size=NARROW) as harness:
        await harness.until(lambda: "✓ Converting the target" in harness.picture())
        await harness.until(lambda: "tensors/s" in harness.picture())
        assert " left" in harness.picture()


async def test_escape_cancels_loading_and_a_key_begins_again() -> None:
    desk = FakeBackend(Script(open_events=slow_opening(), open_pause_s=0.01))
    async with app_at(desk) as harness:
        await harness.until(lambda: "Converting the target" in harness.picture())
        await harness.pilot.press("escape")
        await harness.until(lambda: harness.chat.stage is Stage.DOWN)
        assert desk.undone == 1
        assert "Loading was cancelled" in harness.banner
        desk.script.open_pause_s = 0.0
        await harness.pilot.press("ctrl+r")
        await harness.until(lambda: harness.chat.stage is Stage.READY)


async def test_a_failed_load_says_why_and_can_be_retried() -> None:
    error = ModelLoadError("The target is not a GGUF file: spark.gguf.", "Convert it again.")
    async with app_at(FakeBackend(Script(open_error=error))) as harness:
        await harness.until(lambda: harness.chat.stage is Stage.DOWN)
        assert "not a GGUF file" in harness.banner
        assert "Convert it again." in harness.banner
        assert "Ctrl+R" in harness.banner
        await harness.say("hello?")
        assert harness.prompt.text == "hello?"
        await harness.pilot.press("ctrl+r")
        await harness.until(lambda: harness.chat.stage is Stage.READY)
        assert harness.banner == ""


async def test_a_crash_in_mid_reply_keeps_the_text_and_a_reload_goes_on() -> None:
    desk = FakeBackend(Script(crash_after_rounds=20))
    async with open_app(desk) as harness:
        await harness.ask()
        assert harness.chat.stage is Stage.DOWN
        assert "SIGABRT" in harness.banner and "Ctrl+R reloads" in harness.banner
        broken = harness.transcript.newest
        assert broken.text.startswith("Once there was")
        assert "interrupted" in harness.picture()
        await harness.pilot.press("ctrl+r")
        await harness.until(lambda: harness.chat.stage is Stage.READY)
        assert desk.reloaded == 1
        assert harness.transcript.newest is broken, "the conversation stays on the screen"
        await harness.ask("go on")
        assert harness.transcript.newest is not broken


async def test_a_crash_before_the_first_word_gives_the_prompt_back() -> None:
    async with open_app(FakeBackend(Script(crash_after_rounds=0))) as harness:
        await harness.ask("a question of some length")
        assert "SIGABRT" in harness.banner
        assert harness.prompt.text == "a question of some length"


async def test_a_bug_in_a_worker_is_shown() -> None:
    desk = FakeBackend(Script(surprise=ZeroDivisionError("division by zero")))
    async with open_app(desk) as harness:
        await harness.ask()
        assert "Unexpected ZeroDivisionError: division by zero (fake_backend.py:" in harness.banner
        await harness.pilot.press("ctrl+r")
        await harness.until(lambda: harness.chat.stage is Stage.READY)


async def test_a_prompt_sent_while_loading_is_sent_when_the_model_is_there() -> None:
    async with app_at(FakeBackend(Script(open_pause_s=0.3))) as harness:
        await harness.say("early bird")
        assert harness.prompt.text == "early bird" and harness.chat.stage is Stage.LOADING
        await harness.until(lambda: harness.backend.conversation.sent)
        await harness.until(lambda: harness.chat.stage is Stage.READY)
        assert harness.backend.conversation.sent == ["early bird"] and not harness.prompt.text


async def test_a_prompt_changed_while_loading_is_not_sent_by_itself() -> None:
    async with app_at(FakeBackend(Script(open_pause_s=0.3))) as harness:
        await harness.say("early bird")
        harness.prompt.show("second thoughts")
        await harness.until(lambda: harness.chat.stage is Stage.READY)
        await harness.pilot.pause(0.1)
        assert not harness.backend.conversation.sent and harness.prompt.text == "second thoughts"


async def test_a_prompt_waits_through_a_failed_load_only_in_the_prompt() -> None:
    error = ModelLoadError("The file is damaged.", "Download it again.")
    async with app_at(FakeBackend(Script(open_pause_s=0.3, open_error=error))) as harness:
        await harness.say("early bird")
        await harness.until(lambda: harness.chat.stage is Stage.DOWN)
        assert harness.prompt.text == "early bird" and not harness.backend.conversation.sent


async def test_a_history_that_takes_nothing_is_told_for_as_long_as_that_lasts() -> None:
    trouble = "The history cannot be written: the disk is full. Make room."
    backend = FakeBackend(Script(not_kept=trouble))
    async with open_app(backend, size=WIDE) as harness:
        await harness.ask("Hello")
        await harness.ask("Again")
        told = [each.message for each in harness.app._notifications]  # toasts are not drawn in tests
        assert told == [trouble] and len(backend.conversation.messages) == 4
        await harness.until(lambda: "✗ not kept" in harness.picture() and trouble in harness.picture())
        backend.script = backend.conversation.script = replace(backend.script, not_kept="")
        await harness.until(lambda: "not kept" not in harness.picture().lower())


async def test_a_history_that_cannot_be_had_is_told_before_anything_is_said() -> None:
    async with open_app(FakeBackend(Script(not_kept="The history is locked.")), size=NARROW) as harness:
        await harness.until(lambda: "Not kept: The history is locked." in harness.picture())


async def test_leaving_what_is_not_kept_offers_to_export_it() -> None:
    async with open_app(FakeBackend(Script(not_kept="The disk is full."))) as harness:
        await harness.ask("Hello")
        await harness.until(lambda: "✗ not kept" in harness.picture())
        await harness.pilot.press("ctrl+q")
        await harness.until(lambda: isinstance(harness.app.screen, LeavingScreen))
        assert "The disk is full. After leaving it is gone." in harness.picture()
        await harness.pilot.press("escape")
        await harness.until(lambda: harness.app.screen is harness.chat)
        await harness.pilot.press("ctrl+q", "e")
        await harness.until(lambda: isinstance(harness.app.screen, ExportScreen))
        assert harness.app.is_running and not harness.app._is_closed
        await harness.pilot.press("escape", "ctrl+q", "ctrl+q")
        await harness.until(lambda: harness.app._is_closed)


async def test_leaving_asks_nothing_where_nothing_is_lost() -> None:
    async with open_app(FakeBackend(Script(not_kept="The disk is full."))) as harness:
        await harness.until(lambda: harness.chat.view.not_kept != "")
        await harness.pilot.press("ctrl+q")
        await harness.until(lambda: harness.app._is_closed)


async def test_lines_asked_for_while_there_is_no_room_are_blank() -> None:
    """For a moment, as when the sidebar comes; text cannot be wrapped to no width at all."""
    async with open_app(size=NARROW) as harness:
        await harness.ask("one")
        harness.talk._text_width = 0
        harness.talk.roll[0].changed()
        assert all(not harness.talk.render_line(line).text.strip() for line in range(5))


async def test_what_loading_notes_can_be_read_after_it() -> None:
    """Less memory, or no GPU: it was replaced as soon as the model was there, within a tenth of a second."""
    note = "The context was made 2,048 tokens: there is no memory for more."
    async with open_app(FakeBackend(Script(open_events=(Notice(note),)))) as harness:
        assert [(each.message, each.timeout) for each in harness.app._notifications] == [(note, 15)]
