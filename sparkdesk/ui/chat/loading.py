"""The half of the chat screen that opens the desk and loads it again: its worker and what follows from it."""

import time
from collections.abc import Callable, Iterator

from textual import on, work
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.worker import Worker, WorkerState, get_current_worker

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.errors import SparkDeskError
from sparkdesk.events import Notice, Progress
from sparkdesk.ui import messages
from sparkdesk.ui.chat import status_lines
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.widgets.banner import Banner
from sparkdesk.ui.chat.widgets.loading_view import Opening, pace
from sparkdesk.ui.chat.widgets.transcript import Transcript
from sparkdesk.ui.desk import Desk, OpenEvent
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.session_log import without_words
from sparkdesk.ui.shared import numbers
from sparkdesk.ui.shared.event_queue import calm_progress

NO_DRAFT = "no draft model was loaded with this target"


class OpeningScreen(Screen[None]):
    """Knows how far the desk is. A subclass composes the widgets and says what happens once it is open."""

    stage: reactive[Stage] = reactive(Stage.OPENING, init=False)
    pair: reactive[str] = reactive("")
    model: reactive[ModelInfo | None] = reactive(None)
    problem: reactive[str] = reactive("")
    """Why there is nothing to speculate with."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self._step = ("", 0.0)
        """What the banner shows, and since when."""
        self.set_reactive(OpeningScreen.pair, desk.name)

    async def when_open(self) -> None:
        raise NotImplementedError

    async def start(self, steps: Callable[[], Iterator[OpenEvent]] | None = None, name: str = "") -> None:
        """Open the desk, or load it again, or another pair of that name: a conversation stays on the screen then."""
        self.stage = Stage.OPENING
        transcript, banner = self.query_one(Transcript), self.query_one(Banner)
        banner.rest()
        if transcript.has_turns:
            banner.tell(f"Loading {name or 'the model'} …  {key_name(self, 'chat.stop')} cancels")
        else:
            await transcript.show_view(Opening(name or self.desk.name))
        self.open_desk(steps or self.desk.open)

    @work(thread=True, exclusive=True, group="open", exit_on_error=False)
    def open_desk(self, steps: Callable[[], Iterator[OpenEvent]]) -> None:
        worker = get_current_worker()
        events = calm_progress(steps(), has_ended=lambda: worker.is_cancelled)
        try:
            for event in events:
                self.post_message(messages.OpenAdvanced(event))
        except SparkDeskError as error:
            self.post_message(messages.OpenFailed(error.message, error.hint))
        else:
            self.post_message(messages.OpenCancelled() if worker.is_cancelled else messages.DeskOpened())

    async def action_reload(self) -> None:
        await self.start(self.desk.reload if self.desk.model or self.model else self.desk.open)

    def cancel_opening(self) -> None:
        self.workers.cancel_group(self, "open")

    def go_down(self, cause: str, hint: str, key: str) -> None:
        self.post_message(messages.Noted(f"{without_words(cause)} {hint}".strip()))
        self.stage = Stage.DOWN
        self.query_one(Banner).warn(cause, hint, key)

    @on(messages.OpenAdvanced)
    def show_opening(self, message: messages.OpenAdvanced) -> None:
        if isinstance(message.event, Notice):
            self.post_message(messages.Noted(message.event.text))
        for view in self.query(Opening):
            view.show(message.event)
        if isinstance(message.event, Progress) and self.query_one(Transcript).has_turns:
            step = message.event.step
            if step != self._step[0]:
                self._step = step, time.monotonic()
            self.query_one(Banner).follow(self._step_words(message.event))

    def _step_words(self, progress: Progress) -> Content:
        """In one line, above a conversation."""
        parts = [numbers.percent(progress.fraction) if progress.total > 0 else "", pace(progress, self._step_elapsed_s)]
        words = " · ".join(part for part in parts if part)
        stop = (key_name(self, "chat.stop"), "bold $primary")
        return Content.assemble(f"{progress.step}  ", (f"{words} · ", "$spark-quiet"), stop, " cancels")

    @property
    def _step_elapsed_s(self) -> float:
        return time.monotonic() - self._step[1]

    @on(messages.DeskOpened)
    async def welcome(self) -> None:
        model = self.desk.model
        if model is None:
            self.go_down("The desk opened without a model.", "This is a bug in SparkDesk.", self._key("tries again"))
            return
        self.model, self.pair = model, model.name
        self.problem = model.draft_problem or ("" if model.draft_name or model.switch_problem else NO_DRAFT)
        self.stage = Stage.READY
        self.query_one(Banner).rest()
        await self.when_open()

    @on(messages.OpenCancelled)
    async def settle_after_cancel(self) -> None:
        self._end_view("cancelled")
        if not await self._stay_with_old("Loading was cancelled.", ""):
            self.go_down("Loading was cancelled.", "", self._key("loads the model"))

    @on(messages.OpenFailed)
    async def settle_after_failure(self, message: messages.OpenFailed) -> None:
        self._end_view("failed")
        if not await self._stay_with_old(message.cause, message.hint):
            self.go_down(message.cause, message.hint, self._key("tries again"))

    async def _stay_with_old(self, cause: str, hint: str) -> bool:
        """Another pair could not be loaded, but the old one is there still."""
        if self.desk.model is None:
            return False
        self.stage = Stage.READY
        self.query_one(Banner).warn(cause, hint, f"{self.desk.model.name} stays loaded")
        await self.when_open()
        return True

    @on(Worker.StateChanged)
    def show_failed_opening(self, event: Worker.StateChanged) -> None:
        """What no one expected must be seen, not swallowed with the worker."""
        error = event.worker.error
        if event.worker.group == "open" and event.state is WorkerState.ERROR and error is not None:
            self._end_view("failed")
            self.go_down(status_lines.unexpected(error), "This is a bug in SparkDesk.", self._key("tries again"))

    def _key(self, what_it_does: str) -> str:
        return f"{key_name(self, 'chat.reload')} {what_it_does}"

    def _end_view(self, how: str) -> None:
        for view in self.query(Opening):
            view.end(how)
