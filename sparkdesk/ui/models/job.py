"""How far a download or a build is, folded out of its events. Pure; knows nothing of widgets or threads."""

from dataclasses import dataclass, replace

from sparkdesk.builder.catalog_state import BuildJob, JobResult
from sparkdesk.events import Notice, Progress, Report
from sparkdesk.safe_text import safe_line

STEPS = ("check", "download", "convert", "quantize", "test")
_STEP_OF = {
    "Looking": "check",
    "Asking": "check",
    "Waiting": "download",
    "Downloading": "download",
    "Checking": "download",
    "Converting": "convert",
    "Quantizing": "quantize",
    "Loading": "test",
    "Warming": "test",
    "Trying": "test",
}
RUNNING, DONE, FAILED, STOPPED = "running", "done", "failed", "stopped"
_MOST_NOTICES = 12


@dataclass(frozen=True, slots=True)
class Work:
    """One order from beginning to end."""

    order: BuildJob
    state: str = RUNNING
    steps: tuple[str, ...] = ()
    """Those of STEPS that were begun, in order; the last one is the current one."""
    progress: Progress | None = None
    notices: tuple[str, ...] = ()
    got: JobResult | None = None
    cause: str = ""
    """Why it failed."""
    hint: str = ""

    @property
    def is_running(self) -> bool:
        return self.state == RUNNING

    @property
    def step(self) -> str:
        return self.steps[-1] if self.steps else ""

    def after(self, event: Report) -> "Work":
        if isinstance(event, Notice):
            return replace(self, notices=(*self.notices, safe_line(event.text))[-_MOST_NOTICES:])
        step = _STEP_OF.get(event.step.partition(" ")[0], self.step)
        steps = self.steps if not step or step in self.steps[-1:] else (*self.steps, step)
        return replace(self, steps=steps, progress=replace(event, step=safe_line(event.step)))

    def done(self, got: JobResult) -> "Work":
        return replace(self, state=DONE, got=got, progress=None)

    def failed(self, cause: str, hint: str) -> "Work":
        return replace(self, state=FAILED, cause=safe_line(cause), hint=safe_line(hint))

    def stopped(self) -> "Work":
        return replace(self, state=STOPPED)

    @property
    def fraction(self) -> float | None:
        """Of what was reported last, all files where it is one of them; None where no end is known."""
        last = self.progress.whole or self.progress if self.progress is not None else None
        return last.fraction if last is not None and last.total > 0 else None

    def in_short(self) -> str:
        """For the chat's top bar: "qwen3-8b: download 45 %"; empty when nothing is going on."""
        if not self.is_running:
            return ""
        percent = f" {100 * self.fraction:.0f} %" if self.fraction is not None else " …"
        return f"{self.order.name}: {self.step or 'starting'}{percent}"
