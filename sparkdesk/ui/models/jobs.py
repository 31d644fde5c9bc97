"""Carries downloads and builds out: one at a time, also while another screen is in front."""

from collections.abc import Callable
from functools import partial

from textual.worker import Worker, get_current_worker

from sparkdesk.builder.catalog_state import BuildJob, JobResult
from sparkdesk.errors import SparkDeskError
from sparkdesk.events import Journey, Report
from sparkdesk.library.model import Partial
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.messages import JobReported, PairChosen
from sparkdesk.ui.models.job import DONE, FAILED, STOPPED, Work
from sparkdesk.ui.models.job_panel import JobPanel
from sparkdesk.ui.models.messages import JobEnded
from sparkdesk.ui.models.protocol import ModelManager
from sparkdesk.ui.shared.background import BUG_HINT, unexpected
from sparkdesk.ui.shared.event_queue import hear

Start = Callable[[], Journey[JobResult]]


class JobQueue:
    """Shows the job in `panel`. Posts JobEnded to its screen after each one, and JobReported for the chat."""

    def __init__(self, panel: JobPanel, models: ModelManager) -> None:
        self._panel, self._models = panel, models
        self._waiting: list[tuple[BuildJob, Start]] = []
        self._begun: tuple[BuildJob, Start] | None = None
        self._worker: Worker[None] | None = None

    @property
    def job(self) -> Work | None:
        """What goes on, or ended last."""
        return self._panel.job

    def add(self, order: BuildJob) -> None:
        self._take(order, lambda: self._models.get(order))

    def resume(self, partial: Partial, name: str) -> None:
        self._take(BuildJob(name, is_pair=False), lambda: self._models.resume(partial))

    def stop(self) -> None:
        """What waits behind it waits no longer. A hub that has fallen silent is waited for, some seconds."""
        self._waiting.clear()
        self._panel.keys = "stopping …"
        if self._worker is not None:
            self._worker.cancel()

    def again(self) -> None:
        """Resume what was stopped or failed."""
        if self._begun is not None:
            self._take(*self._begun)

    def open_result(self) -> None:
        if self.job is not None and self.job.got is not None:
            self._panel.screen.post_message(PairChosen(self.job.got.opens))

    def allows(self, action: str) -> bool:
        """Whether an action of the screen makes sense as the job stands; those it does not know do."""
        job = self.job
        match action:
            case "stop_work":
                return job is not None and job.is_running
            case "again":
                return job is not None and job.state in (FAILED, STOPPED)
            case "open_got":
                return job is not None and job.got is not None and bool(job.got.opens)
        return True

    def _take(self, order: BuildJob, start: Start) -> None:
        """Now, or once what is under way is over."""
        job = self.job
        if job is not None and job.is_running:
            if order.name != job.order.name and all(order.name != waiting.name for waiting, _ in self._waiting):
                self._waiting.append((order, start))
            self._panel.notify(f"{order.name} is queued after {job.order.name}.", markup=False)
            self._tell()
            return
        self._begun, self._panel.job = (order, start), Work(order)
        self._tell()
        run = partial(self._run, start)
        self._worker = self._panel.run_worker(run, thread=True, exclusive=True, group="work", exit_on_error=False)

    def _run(self, start: Start) -> None:
        worker = get_current_worker()
        try:
            got = hear(start(), partial(self._panel.call_later, self._advance), lambda: worker.is_cancelled)
        except SparkDeskError as error:
            self._panel.call_later(self._end, None, error.message, error.hint)
        except Exception as error:
            self._panel.call_later(self._end, None, unexpected(error), BUG_HINT)
        else:
            self._panel.call_later(self._end, got)

    def _advance(self, event: Report) -> None:
        if self.job is not None and self.job.is_running:
            self._panel.job = self.job.after(event)
            self._tell_chat()

    def _end(self, got: JobResult | None, cause: str = "", hint: str = "") -> None:
        """With a result, by a cause, or, where it was stopped, by neither."""
        job = self.job
        if job is None:
            return
        if got is not None:
            self._panel.job = job.done(got)
            self._panel.notify(got.sentence, title="Models", markup=False)
        elif cause:
            self._panel.job = job.failed(cause, hint)
            self._panel.notify(cause, title=job.order.name, severity="error", markup=False)
        else:
            self._panel.job = job.stopped()
        self._tell()
        self._panel.screen.post_message(JobEnded())
        if self._waiting and got is not None:
            self._take(*self._waiting.pop(0))

    def _tell(self) -> None:
        self._panel.keys = self._keys()
        self._tell_chat()
        self._panel.screen.refresh_bindings()

    def _tell_chat(self) -> None:
        self._panel.screen.post_message(JobReported(self.job.in_short() if self.job is not None else ""))

    def _keys(self) -> str:
        job = self.job
        if job is None:
            return ""
        if job.is_running:
            waiting = f", then {', '.join(order.name for order, _ in self._waiting)}" if self._waiting else ""
            return f"{key_name(self._panel, 'models.stop')} stops{waiting}"
        if job.state == DONE:
            opens = job.got is not None and bool(job.got.opens)
            return f"{key_name(self._panel, 'models.open')} opens the pair" if opens else ""
        return f"{key_name(self._panel, 'models.again')} resumes"
