"""An unexpected error, wherever it is raised, ends in a sentence and a way on, with draft and conversation kept."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from sparkdesk.chat.messages import Attachment
from sparkdesk.ui import app as app_module
from sparkdesk.ui import supervisor
from sparkdesk.ui.app import SparkDeskApp
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.widgets.attachment_chips import AttachmentChips
from sparkdesk.ui.chat.widgets.transcript import Transcript
from sparkdesk.ui.failure import Draft, Failure
from sparkdesk.ui.recovery import RecoveryApp, Way, draft_sentence
from sparkdesk.ui.shared.prompt import Prompt
from sparkdesk.ui.termination import Termination
from tests.ui.fake_backend import FakeBackend, Script

SECRET = "the user's secret words"
DRAFT = "a draft of\ntwo lines"
NOTES = Attachment("notes.txt", "some notes")


def fail(*_: object, **__: object) -> Any:
    raise ValueError(SECRET)


class Faulty(Static):
    def render(self) -> Any:
        return fail()


class FaultyScreen(Screen[None]):
    def compose(self) -> ComposeResult:
        yield Static("so far so good")
        fail()


async def _in_a_handler(app: SparkDeskApp) -> None:
    app.chat.query_one(Prompt).action_older = fail  # type: ignore[method-assign]
    app.simulate_key("up")


async def _in_a_screens_handler(app: SparkDeskApp) -> None:
    app.chat.action_toggle_live = fail  # type: ignore[method-assign]
    app.simulate_key("f3")


async def _in_the_apps_handler(app: SparkDeskApp) -> None:
    app.action_change_theme = fail  # type: ignore[method-assign]
    app.call_later(app.action_change_theme)


async def _while_drawing(app: SparkDeskApp) -> None:
    await app.chat.query_one(Transcript).mount(Faulty())


async def _while_composing(app: SparkDeskApp) -> None:
    app.push_screen(FaultyScreen())


async def _in_a_timer(app: SparkDeskApp) -> None:
    app.chat.set_timer(0.01, fail)


async def _in_a_callback_after_drawing(app: SparkDeskApp) -> None:
    app.chat.call_after_refresh(fail)


async def _in_a_worker(app: SparkDeskApp) -> None:
    async def work() -> None:
        fail()

    app.chat.run_worker(work())


async def _in_a_thread_worker(app: SparkDeskApp) -> None:
    app.chat.run_worker(fail, thread=True)


FAULTS = (
    _in_a_handler,
    _in_a_screens_handler,
    _in_the_apps_handler,
    _while_drawing,
    _while_composing,
    _in_a_timer,
    _in_a_callback_after_drawing,
    _in_a_worker,
    _in_a_thread_worker,
)

Step = Callable[[SparkDeskApp, Pilot[object]], Any]


class Screens:
    """Runs the supervisor without a terminal: each step is done on one screen, each key is struck after its failure."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, desk: FakeBackend, logs: Path) -> None:
        self.desk, self.logs = desk, logs
        self.asked: list[str] = []
        """What stood on each recovery screen."""
        self._monkeypatch = monkeypatch

    def run(self, steps: list[Step], keys: list[str]) -> Failure | None:
        remaining, pressed = iter(steps), iter(keys)
        asked = self.asked

        class Recovery(RecoveryApp):
            def run(self, **_: Any) -> Way | None:
                async def press(pilot: Pilot[object]) -> None:
                    await pilot.pause()
                    lines = self.screen._compositor.render_strips()
                    asked.append(" ".join(strip.text.strip(" │") for strip in lines))  # as it is read, wrapped or not
                    await pilot.press(next(pressed))

                return super().run(headless=True, size=(80, 24), auto_pilot=press)

        class Desk(SparkDeskApp):
            CSS_PATH = [Path(app_module.__file__).parent / each for each in SparkDeskApp.CSS_PATH]  # noqa: RUF012  as there

            def run(self, **_: Any) -> None:
                async def act(pilot: Pilot[object]) -> None:
                    while self.chat.stage is not Stage.READY:
                        await asyncio.sleep(0.01)
                    await next(remaining)(self, pilot)
                    while self.failure is None and not self._exit:
                        await asyncio.sleep(0.01)

                super().run(headless=True, size=(100, 30), auto_pilot=act)

        self._monkeypatch.setattr(supervisor, "RecoveryApp", Recovery)

        def make(after: Failure | None, is_new: bool) -> SparkDeskApp:
            return Desk(self.desk, after=after, is_new=is_new)

        return supervisor.run_screen(self.desk, make, logs=self.logs, termination=Termination())


@pytest.fixture
def screens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Screens:
    return Screens(monkeypatch, FakeBackend(Script(text="A short reply.")), tmp_path / "logs")


async def leave(app: SparkDeskApp, pilot: Pilot[object]) -> None:
    await app.action_quit()


def with_draft(fault: Callable[[SparkDeskApp], Any]) -> Step:
    async def step(app: SparkDeskApp, pilot: Pilot[object]) -> None:
        prompt = app.chat.query_one(Prompt)
        prompt.show("hello")
        prompt.action_send()
        while len(app.backend.conversation.messages) < 2 or app.chat.stage is not Stage.READY:
            await asyncio.sleep(0.01)
        app.chat.view.composer.attach(NOTES)
        prompt.show(DRAFT)
        await pilot.pause()
        await fault(app)

    return step


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_wherever_it_is_raised_the_user_goes_on_with_draft_and_conversation(
    fault: Callable[[SparkDeskApp], Any], screens: Screens, capsys: pytest.CaptureFixture[str]
) -> None:
    found: list[object] = []

    async def look(app: SparkDeskApp, pilot: Pilot[object]) -> None:
        await pilot.pause()
        found.append(app.chat.query_one(Prompt).text)
        found.append(app.chat.query_one(AttachmentChips).attachments)
        found.append(app.chat.query_one(Transcript).count)
        await app.action_quit()

    assert screens.run([with_draft(fault), look], ["enter"]) is None
    (shown,) = screens.asked
    assert "unexpected error" in shown and "ValueError at test_recovery.py" in shown
    assert "conversation is kept" in shown and "2 lines, 1 attached file" in shown
    assert found == [DRAFT, (NOTES,), 2]
    assert screens.desk.opened == 1, "what was loaded is not loaded again"
    assert screens.desk.closed == 1
    written = (screens.logs / "errors.log").read_text()
    assert "ValueError" in written and "in fail" in written
    told = capsys.readouterr()
    for text in (shown, written, told.out, told.err):
        assert SECRET not in text and "two lines" not in text and "Traceback" not in text


def test_the_user_may_leave_instead_with_the_draft_in_hand(screens: Screens) -> None:
    failure = screens.run([with_draft(_in_a_timer)], ["q"])
    assert failure is not None and failure.draft == Draft(DRAFT, (NOTES,))
    assert screens.desk.closed == 1


def test_the_user_may_go_on_in_a_new_chat(screens: Screens) -> None:
    found: list[int] = []

    async def look(app: SparkDeskApp, pilot: Pilot[object]) -> None:
        found.append(len(app.backend.conversation.messages))
        await app.action_quit()

    assert screens.run([with_draft(_while_drawing), look], ["n"]) is None
    assert found == [0] and screens.desk.history.newest(9), "the old one is in the history"


def test_what_happens_again_is_said_to_happen_again(screens: Screens) -> None:
    assert screens.run([with_draft(_in_a_timer), with_draft(_in_a_timer)], ["enter", "q"]) is not None
    first, second = screens.asked
    assert "happened again" not in first and "happened again" in second


def test_a_reply_in_the_making_is_stopped_and_kept(screens: Screens) -> None:
    """The thread that makes it must not be waited for to the reply's own end."""
    screens.desk.script.is_gated = True
    said: list[str] = []

    async def fail_in_mid_reply(app: SparkDeskApp, pilot: Pilot[object]) -> None:
        prompt = app.chat.query_one(Prompt)
        prompt.show("hello")
        prompt.action_send()
        while app.chat.stage is not Stage.REPLYING:
            await asyncio.sleep(0.01)
        screens.desk.conversation.let(1)
        await _in_a_timer(app)

    async def look(app: SparkDeskApp, pilot: Pilot[object]) -> None:
        said.extend(each.content for each in app.backend.conversation.messages)
        await app.action_quit()

    assert screens.run([fail_in_mid_reply, look], ["enter"]) is None
    assert said == ["hello", "A"]


def test_a_failure_that_cannot_be_written_down_can_be_gone_on_from_too(screens: Screens) -> None:
    screens.logs.write_text("a file where the folder should be")
    assert screens.run([with_draft(_in_a_timer), leave], ["enter"]) is None
    assert "recorded" not in screens.asked[0]


def test_the_log_is_shown_and_the_draft_copied() -> None:
    try:
        fail()
    except ValueError as error:
        failure = Failure(error, Draft(DRAFT), ())

    async def sit() -> None:
        app = RecoveryApp(failure, log=Path("/logs/errors.log"), report="What happened\n  09:00  something")
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("l")
            await pilot.pause()
            lines = app.screen._compositor.render_strips()
            assert any("09:00  something" in strip.text for strip in lines)
            await pilot.press("c")
            await pilot.pause()
            assert app.clipboard == DRAFT
            await pilot.press("enter")
        assert app.return_value is Way.GO_ON

    asyncio.run(sit())


@pytest.mark.parametrize(
    ("draft", "sentence"),
    [
        (Draft(), ""),
        (Draft("  \n"), ""),
        (Draft("one"), "Your unsent draft (1 line) comes back when you continue."),
        (Draft("", (NOTES,)), "Your unsent draft (1 attached file) comes back when you continue."),
    ],
)
def test_the_draft_is_told_in_a_sentence(draft: Draft, sentence: str) -> None:
    assert draft_sentence(draft) == sentence


@pytest.mark.parametrize("path", sorted(Path(app_module.__file__).parent.rglob("*.py")), ids=lambda path: path.name)
def test_no_worker_swallows_what_no_one_expected(path: Path) -> None:
    """A worker that does not end the screen says itself what went wrong: attaching and exporting once did neither."""
    source = path.read_text("utf-8")
    is_said = "Worker.StateChanged" in source or "except Exception as error" in source
    assert "exit_on_error=False" not in source or is_said
