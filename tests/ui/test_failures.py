"""The desk survives the engine: loading that fails, is cancelled or is retried, and replies that break."""

from dataclasses import replace

from sparkdesk.errors import ModelLoadError
from sparkdesk.events import Notice
from sparkdesk.ui.chat.dialogs.export import ExportScreen
from sparkdesk.ui.chat.dialogs.leaving import LeavingScreen
from sparkdesk.ui.chat.state import Stage
from tests.ui.fake_backend import FakeBackend, Script, slow_opening
from tests.ui.sitting import NARROW, WIDE, at_desk, at_open_desk


async def test_loading_shows_steps_a_rate_and_an_end() -> None:
    async with at_desk(FakeBackend(Script(open_events=slow_opening(), open_pause_s=0.01)), size=NARROW) as sitting:
        await sitting.until(lambda: "✓ Converting the target" in sitting.picture())
        await sitting.until(lambda: "tensors/s" in sitting.picture())
        assert " left" in sitting.picture()


async def test_escape_cancels_loading_and_a_key_begins_again() -> None:
    desk = FakeBackend(Script(open_events=slow_opening(), open_pause_s=0.01))
    async with at_desk(desk) as sitting:
        await sitting.until(lambda: "Converting the target" in sitting.picture())
        await sitting.pilot.press("escape")
        await sitting.until(lambda: sitting.chat.stage is Stage.DOWN)
        assert desk.undone == 1
        assert "Loading was cancelled" in sitting.banner
        desk.script.open_pause_s = 0.0
        await sitting.pilot.press("ctrl+r")
        await sitting.until(lambda: sitting.chat.stage is Stage.READY)


async def test_a_failed_load_says_why_and_can_be_retried() -> None:
    error = ModelLoadError("The target is not a GGUF file: spark.gguf.", "Convert it again.")
    async with at_desk(FakeBackend(Script(open_error=error))) as sitting:
        await sitting.until(lambda: sitting.chat.stage is Stage.DOWN)
        assert "not a GGUF file" in sitting.banner
        assert "Convert it again." in sitting.banner
        assert "Ctrl+R" in sitting.banner
        await sitting.say("hello?")
        assert sitting.prompt.text == "hello?"
        await sitting.pilot.press("ctrl+r")
        await sitting.until(lambda: sitting.chat.stage is Stage.READY)
        assert sitting.banner == ""


async def test_a_crash_in_mid_reply_keeps_the_text_and_a_reload_goes_on() -> None:
    desk = FakeBackend(Script(crash_after_rounds=20))
    async with at_open_desk(desk) as sitting:
        await sitting.ask()
        assert sitting.chat.stage is Stage.DOWN
        assert "SIGABRT" in sitting.banner and "Ctrl+R reloads" in sitting.banner
        broken = sitting.transcript.newest
        assert broken.text.startswith("Once there was")
        assert "interrupted" in sitting.picture()
        await sitting.pilot.press("ctrl+r")
        await sitting.until(lambda: sitting.chat.stage is Stage.READY)
        assert desk.reloaded == 1
        assert sitting.transcript.newest is broken, "the conversation stays on the screen"
        await sitting.ask("go on")
        assert sitting.transcript.newest is not broken


async def test_a_crash_before_the_first_word_gives_the_prompt_back() -> None:
    async with at_open_desk(FakeBackend(Script(crash_after_rounds=0))) as sitting:
        await sitting.ask("a question of some length")
        assert "SIGABRT" in sitting.banner
        assert sitting.prompt.text == "a question of some length"


async def test_a_bug_in_a_worker_is_shown() -> None:
    desk = FakeBackend(Script(surprise=ZeroDivisionError("division by zero")))
    async with at_open_desk(desk) as sitting:
        await sitting.ask()
        assert "Unexpected ZeroDivisionError: division by zero (fake_backend.py:" in sitting.banner
        await sitting.pilot.press("ctrl+r")
        await sitting.until(lambda: sitting.chat.stage is Stage.READY)


async def test_a_prompt_sent_while_loading_is_sent_when_the_model_is_there() -> None:
    async with at_desk(FakeBackend(Script(open_pause_s=0.3))) as sitting:
        await sitting.say("early bird")
        assert sitting.prompt.text == "early bird" and sitting.chat.stage is Stage.LOADING
        await sitting.until(lambda: sitting.backend.conversation.sent)
        await sitting.until(lambda: sitting.chat.stage is Stage.READY)
        assert sitting.backend.conversation.sent == ["early bird"] and not sitting.prompt.text


async def test_a_prompt_changed_while_loading_is_not_sent_by_itself() -> None:
    async with at_desk(FakeBackend(Script(open_pause_s=0.3))) as sitting:
        await sitting.say("early bird")
        sitting.prompt.show("second thoughts")
        await sitting.until(lambda: sitting.chat.stage is Stage.READY)
        await sitting.pilot.pause(0.1)
        assert not sitting.backend.conversation.sent and sitting.prompt.text == "second thoughts"


async def test_a_prompt_waits_through_a_failed_load_only_in_the_prompt() -> None:
    error = ModelLoadError("The file is damaged.", "Download it again.")
    async with at_desk(FakeBackend(Script(open_pause_s=0.3, open_error=error))) as sitting:
        await sitting.say("early bird")
        await sitting.until(lambda: sitting.chat.stage is Stage.DOWN)
        assert sitting.prompt.text == "early bird" and not sitting.backend.conversation.sent


async def test_a_history_that_takes_nothing_is_told_for_as_long_as_that_lasts() -> None:
    trouble = "The history cannot be written: the disk is full. Make room."
    backend = FakeBackend(Script(not_kept=trouble))
    async with at_open_desk(backend, size=WIDE) as sitting:
        await sitting.ask("Hello")
        await sitting.ask("Again")
        told = [each.message for each in sitting.app._notifications]  # toasts are not drawn in tests
        assert told == [trouble] and len(backend.conversation.messages) == 4
        await sitting.until(lambda: "✗ not kept" in sitting.picture() and trouble in sitting.picture())
        backend.script = backend.conversation.script = replace(backend.script, not_kept="")
        await sitting.until(lambda: "not kept" not in sitting.picture().lower())


async def test_a_history_that_cannot_be_had_is_told_before_anything_is_said() -> None:
    async with at_open_desk(FakeBackend(Script(not_kept="The history is locked.")), size=NARROW) as sitting:
        await sitting.until(lambda: "Not kept: The history is locked." in sitting.picture())


async def test_leaving_what_is_not_kept_offers_to_export_it() -> None:
    async with at_open_desk(FakeBackend(Script(not_kept="The disk is full."))) as sitting:
        await sitting.ask("Hello")
        await sitting.until(lambda: "✗ not kept" in sitting.picture())
        await sitting.pilot.press("ctrl+q")
        await sitting.until(lambda: isinstance(sitting.app.screen, LeavingScreen))
        assert "The disk is full. After leaving it is gone." in sitting.picture()
        await sitting.pilot.press("escape")
        await sitting.until(lambda: sitting.app.screen is sitting.chat)
        await sitting.pilot.press("ctrl+q", "e")
        await sitting.until(lambda: isinstance(sitting.app.screen, ExportScreen))
        assert sitting.app.is_running and not sitting.app._is_closed
        await sitting.pilot.press("escape", "ctrl+q", "ctrl+q")
        await sitting.until(lambda: sitting.app._is_closed)


async def test_leaving_asks_nothing_where_nothing_is_lost() -> None:
    async with at_open_desk(FakeBackend(Script(not_kept="The disk is full."))) as sitting:
        await sitting.until(lambda: sitting.chat.view.not_kept != "")
        await sitting.pilot.press("ctrl+q")
        await sitting.until(lambda: sitting.app._is_closed)


async def test_lines_asked_for_while_there_is_no_room_are_blank() -> None:
    """For a moment, as when the sidebar comes; text cannot be wrapped to no width at all."""
    async with at_open_desk(size=NARROW) as sitting:
        await sitting.ask("one")
        sitting.talk._text_width = 0
        sitting.talk.roll[0].changed()
        assert all(not sitting.talk.render_line(line).text.strip() for line in range(5))


async def test_what_loading_notes_can_be_read_after_it() -> None:
    """Less memory, or no GPU: it was replaced as soon as the model was there, within a tenth of a second."""
    note = "The context was made 2,048 tokens: there is no memory for more."
    async with at_open_desk(FakeBackend(Script(open_events=(Notice(note),)))) as sitting:
        assert [(each.message, each.timeout) for each in sitting.app._notifications] == [(note, 15)]
