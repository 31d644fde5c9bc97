"""The long step before the first word: what is being done, how far it is, how long it will take, how to cancel."""

import time
from collections.abc import Callable
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from sparkdesk.events import Notice, Progress, Report
from sparkdesk.safe_text import safe_line, safe_text
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.shared import bars, numbers

_BAR = 16
_STEP = 22


class LoadingView(Vertical):
    """Finished steps stay listed above the current one."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._title = safe_line(name)
        self._clock = clock
        self._began = clock()
        self._done: list[Content] = []
        self._current: Progress | None = None
        self._is_over = False

    def compose(self) -> ComposeResult:
        yield Static(Content.assemble(("✦ ", "$primary"), (f"Opening {self._title}", "bold")), classes="name")
        yield Static(id="steps")
        yield Static(
            f"{key_name(self, 'chat.stop')} cancels. Type now; it is sent when the model is ready.", classes="lead"
        )

    def on_mount(self) -> None:
        self._redraw()

    def show(self, event: Report) -> None:
        match event:
            case Notice(text):
                self._done.append(Content.assemble(("! ", "$warning"), safe_text(text)))
            case Progress():
                self._advance(replace(event, step=safe_line(event.step), unit=safe_line(event.unit)))
        self._redraw()

    def end(self, how: str) -> None:
        """It came no further."""
        step = self._current.step if self._current else "starting"
        self._done.append(Content.assemble(("■ ", "$error"), f"{step}: {how}"))
        self._is_over = True
        self.query_one(".lead").display = False
        self._redraw()

    def _advance(self, progress: Progress) -> None:
        if self._current and self._current.step != progress.step:
            took = numbers.duration(1e3 * (self._clock() - self._began))
            self._done.append(Content.assemble(("✓ ", "$success"), f"{self._current.step}  ", (took, "$spark-quiet")))
        if self._current is None or self._current.step != progress.step:
            self._began = self._clock()
        self._current = progress

    def _redraw(self) -> None:
        if not self.is_mounted:
            return
        lines = list(self._done)
        if self._is_over:
            pass
        elif self._current:
            lines.append(step_line(self._current, self._clock() - self._began))
        else:
            lines.append(Content("starting …"))
        self.query_one("#steps", Static).update(Content("\n").join(lines))


def step_line(progress: Progress, elapsed_s: float) -> Content:
    """The step in progress. Without a known end there is no bar, but still a count and a rate."""
    name = f"{progress.step} ".ljust(_STEP)
    if progress.total <= 0:
        return Content.assemble(("▸ ", "$primary"), name, (_amount(progress.done, progress.unit), "$spark-quiet"))
    filled = bars.bar(progress.fraction, _BAR).rstrip()
    return Content.assemble(
        ("▸ ", "$primary"),
        name,
        (filled, "$primary"),
        ("·" * (_BAR - len(filled)), "$spark-faint"),
        f" {numbers.percent(progress.fraction):>5}  ",
        (pace(progress, elapsed_s), "$spark-quiet"),
    )


def remaining_s(progress: Progress, elapsed_s: float) -> float | None:
    """From the step's own rate, else from what it took to get here; None while nothing can be said."""
    if progress.rate_per_second > 0 and progress.total > 0:
        return (progress.total - progress.done) / progress.rate_per_second
    if progress.fraction > 0.02 and elapsed_s > 0.5:
        return elapsed_s * (1 / progress.fraction - 1)
    return None


def pace(progress: Progress, elapsed_s: float) -> str:
    rate = f"{_amount(progress.rate_per_second, progress.unit)}/s" if progress.rate_per_second > 0 else ""
    left = remaining_s(progress, elapsed_s)
    parts = [rate, f"{numbers.duration(1e3 * left)} left" if left is not None and progress.fraction < 1 else ""]
    return " · ".join(part for part in parts if part)


def _amount(count: float, unit: str) -> str:
    if unit == "bytes":
        return f"{numbers.magnitude(count)}B"
    return f"{count:.0f} {unit}".strip()
