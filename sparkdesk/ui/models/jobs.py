"""The half of the models screen that carries orders out: one at a time, also while another screen is in front."""

from collections.abc import Callable
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.screen import Screen
from textual.worker import Worker, WorkerState, get_current_worker

from sparkdesk.builder.catalog_state import BuildJob, JobResult
from sparkdesk.errors import SparkDeskError
from sparkdesk.events import Journey
from sparkdesk.library.model import Partial
from sparkdesk.ui import messages
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.models import messages as reports
from sparkdesk.ui.models.job import DONE, FAILED, STOPPED, Work
from sparkdesk.ui.models.protocol import ModelManager
from sparkdesk.ui.shared.background import BUG_HINT, unexpected
from sparkdesk.ui.shared.event_queue import hear

Start = Callable[[], Journey[JobResult]]


class WorkingScreen(Screen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "stop_work", "Stop", tooltip="Stop the download; what was downloaded is kept", id="models.stop"),
        Binding("c", "again", "Resume", show=False, tooltip="Resume what was stopped or failed", id="models.again"),
        Binding("o", "open_got", "Open", show=False, tooltip="Open the pair that is ready", id="models.open"),
    ]

    job: reactive[Work | None] = reactive(None)
    job_keys: reactive[str] = reactive("")

    def __init__(self, shelf: ModelManager) -> None:
        super().__init__()
        self.shelf = shelf
        self._waiting: list[tuple[BuildJob, Start]] = []
        self._begun: tuple[BuildJob, Start] | None = None

    def after_work(self) -> None:
        """What is here has changed."""
        raise NotImplementedError

    def carry_out(self, order: BuildJob) -> None:
        self._take(order, lambda: self.shelf.get(order))

    def resume(self, partial: Partial, name: str) -> None:
        self._take(BuildJob(name, is_pair=False), lambda: self.shelf.resume(partial))

    def _take(self, order: BuildJob, start: Start) -> None:
        """Now, or once what is under way is over."""
        if self.job is not None and self.job.is_running:
            if order.name != self.job.order.name and all(order.name != waiting.name for waiting, _ in self._waiting):
                self._waiting.append((order, start))
            self.notify(f"{order.name} is queued after {self.job.order.name}.", markup=False)
            self._tell()
            return
        self._begun = (order, start)
        self.job = Work(order)
        self._tell()
        self.do_work(start)

    @work(thread=True, exclusive=True, group="work", exit_on_error=False)
    def do_work(self, start: Start) -> None:
        worker = get_current_worker()
        try:
            got = hear(
                start(), lambda event: self.post_message(reports.JobAdvanced(event)), lambda: worker.is_cancelled
            )
        except SparkDeskError as error:
            self.post_message(reports.JobEnded(cause=error.message, hint=error.hint))
        else:
            self.post_message(reports.JobEnded(got))

    @on(reports.JobAdvanced)
    def advance(self, message: reports.JobAdvanced) -> None:
        if self.job is not None and self.job.is_running:
            self.job = self.job.after(message.event)
            self._tell_chat()

    @on(reports.JobEnded)
    def end(self, message: reports.JobEnded) -> None:
        if self.job is None:
            return
        if message.got is not None:
            self.job = self.job.done(message.got)
            self.notify(message.got.sentence, title="Models", markup=False)
        elif message.cause:
            self.job = self.job.failed(message.cause, message.hint)
            self.notify(message.cause, title=self.job.order.name, severity="error", markup=False)
        else:
            self.job = self.job.stopped()
        self._tell()
        self.after_work()
        if self._waiting and self.job.state == DONE:
            self._take(*self._waiting.pop(0))

    @on(Worker.StateChanged)
    def show_failed_work(self, event: Worker.StateChanged) -> None:
        error = event.worker.error
        if event.worker.group == "work" and event.state is WorkerState.ERROR and error is not None:
            self.post_message(reports.JobEnded(cause=unexpected(error), hint=BUG_HINT))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        state = self.job.state if self.job is not None else ""
        match action:
            case "stop_work":
                return self.job is not None and self.job.is_running
            case "again":
                return state in (FAILED, STOPPED)
            case "open_got":
                return self.job is not None and self.job.got is not None and bool(self.job.got.opens)
        return True

    def action_stop_work(self) -> None:
        """What waits behind it waits no longer. A hub that has fallen silent is waited for, some seconds."""
        self._waiting.clear()
        self.job_keys = "stopping …"
        self.workers.cancel_group(self, "work")

    def action_again(self) -> None:
        if self._begun is not None:
            self._take(*self._begun)

    def action_open_got(self) -> None:
        if self.job is not None and self.job.got is not None:
            self.post_message(messages.PairChosen(self.job.got.opens))

    def _tell(self) -> None:
        self.job_keys = self._keys()
        self._tell_chat()
        self.refresh_bindings()

    def _tell_chat(self) -> None:
        self.post_message(messages.JobReported(self.job.in_short() if self.job is not None else ""))

    def _keys(self) -> str:
        if self.job is None:
            return ""
        if self.job.is_running:
            waiting = f", then {', '.join(order.name for order, _ in self._waiting)}" if self._waiting else ""
            return f"{key_name(self, 'models.stop')} stops{waiting}"
        if self.job.state == DONE:
            opens = self.job.got is not None and bool(self.job.got.opens)
            return f"{key_name(self, 'models.open')} opens the pair" if opens else ""
        return f"{key_name(self, 'models.again')} resumes"
