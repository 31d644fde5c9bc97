"""What passes cost by their size, and which draft length that makes the best here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from sparkdesk.bench.curves import Curves, curves_of
from sparkdesk.bench.plot import plot
from sparkdesk.bench.requests import SweepAsked
from sparkdesk.bench.results import Reply
from sparkdesk.bench.speeds import LengthSpeed, SchedulerSpeed, best_of, length_speeds, scheduler_speed
from sparkdesk.bench.suite import Prompt
from sparkdesk.bench.sweep import Swept, Tuned
from sparkdesk.events import Notice, Progress
from sparkdesk.ui.bench.measure_bar import MeasureBar
from sparkdesk.ui.bench.messages import SweepWanted
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.shared import bars, numbers
from sparkdesk.ui.shared.cycle import Cycle

_LENGTHS = (48, 96, 192)
_PLOT_ROWS = 11
_BAR = 26
_EMPTY = (
    "One prompt of each domain is answered at every draft length, from plain decoding to the whole block. You see what "
    "the target's pass and the draft's pass cost by their size, how fast each length is, and what the scheduler makes "
    "of it.",
    "",
    "Press {} to start.",
)


class CurvesTab(Vertical):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "start", "Start", tooltip="Measure the cost curves", id="curves.start"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._domains: tuple[str, ...] = ()
        self._swept: list[Swept] = []
        self._tuned: list[Reply] = []
        self._notices: list[str] = []

    def compose(self) -> ComposeResult:
        with Horizontal(classes="options"):
            yield Cycle[tuple[str, ...]]("prompts of", [("every domain", ())], id="sweep-domains")
            lengths = [(f"{length} tokens", length) for length in _LENGTHS]
            yield Cycle("replies of at most", lengths, id="sweep-reply")
        yield MeasureBar()
        with VerticalScroll(classes="figures"), Container(classes="charts"):
            yield Static(self._how_to_begin(), classes="speeds")
            yield Static(classes="costs")

    def offer(self, prompts: Sequence[Prompt]) -> None:
        """The suite to choose from."""
        domains = tuple(dict.fromkeys(prompt.domain for prompt in prompts))
        if domains != self._domains:
            self._domains = domains
            values = [("every domain", domains), *((domain, (domain,)) for domain in domains)]
            self.query_one("#sweep-domains", Cycle).offer(values)

    def _how_to_begin(self) -> Content:
        return Content("\n".join(_EMPTY).format(key_name(self, "curves.start")))

    def begin(self) -> None:
        self._swept, self._tuned, self._notices = [], [], []
        self.query_one(MeasureBar).progress = Progress("warming up", 0, 0, "prompts")

    def take(self, event: Progress | Notice | Swept | Tuned) -> None:
        if isinstance(event, Progress):
            self.query_one(MeasureBar).progress = event
            return
        if isinstance(event, Notice):
            self._notices.append(event.text)
        elif isinstance(event, Swept):
            self._swept.append(event)
        else:
            self._tuned.append(event.reply)
        self._show()

    def end(self, *, is_complete: bool) -> None:
        bar = self.query_one(MeasureBar)
        bar.progress = None
        words = "Done." if is_complete else "Stopped; this is what was measured up to there."
        bar.words = words if self._swept else "Nothing was measured."

    def on_resize(self) -> None:
        if self._swept:
            self.call_after_refresh(self._show)

    def action_start(self) -> None:
        domains, length = self.query_one("#sweep-domains", Cycle).value, self.query_one("#sweep-reply", Cycle).value
        self.post_message(SweepWanted(SweepAsked(domains, length)))

    def _show(self) -> None:
        curves = curves_of(each.reply.rounds for each in self._swept)
        speeds = length_speeds(self._swept, curves)
        scheduler = scheduler_speed(self._tuned) if self._tuned else None
        notices = [Content.styled(notice, "$warning") for notice in self._notices]
        self.query_one(".speeds", Static).update(Content("\n").join([*_speeds(speeds, scheduler), *notices]))
        costs = self.query_one(".costs", Static)
        costs.update(Content("\n").join(_costs(curves, width=max(40, costs.content_size.width or 76))))


def _speeds(speeds: Sequence[LengthSpeed], scheduler: SchedulerSpeed | None) -> Iterator[Content]:
    """A bar for every length; the best is marked."""
    best = best_of(speeds)
    most = max([each.measured for each in speeds] + ([scheduler.measured] if scheduler else []), default=0.0)
    yield Content.styled(f"{'draft':6}{'tok/s, measured':{_BAR + 11}}predicted from costs", "$spark-quiet")
    for each in speeds:
        is_best = best is not None and each.length == best.length
        name = str(each.length) if each.length else "plain"
        foretold = numbers.speed(each.expected) if each.expected else numbers.UNKNOWN
        yield Content.assemble(
            _bar(name, each.measured, most, style="bold $primary" if is_best else "$spark-calm"),
            (f"{foretold:>8}", "$spark-quiet"),
            ("  ◂ best" if is_best else "", "bold $primary"),
        )
    if scheduler is not None:
        yield Content.assemble(_bar("auto", scheduler.measured, most, style="$success"))
        yield Content.styled(_belief(scheduler), "$spark-quiet")


def _bar(name: str, speed: float, most: float, *, style: str) -> Content:
    cells = bars.bar(speed / most if most else 0.0, _BAR)
    return Content.assemble((f"{name:6}", "$foreground"), (cells, style), (f"{numbers.speed(speed):>8}", "bold"))


def _belief(scheduler: SchedulerSpeed) -> str:
    if scheduler.parked_share > 0.5:
        words = f"auto: the scheduler parks {numbers.percent(scheduler.parked_share)} of the rounds"
    elif scheduler.usual_length:
        words = f"auto: the scheduler mostly verifies {scheduler.usual_length} drafted tokens"
    else:
        words = "auto: the scheduler drafted nothing"
    expects = f", and expects {scheduler.expected_gain:.2f}x" if scheduler.expected_gain else ""
    return f"{words}{expects}"


def _costs(curves: Curves, *, width: int) -> Iterator[Content]:
    lines = {
        "T target": [(rows - 1.0, spread.median) for rows, spread in curves.verify.items()],
        "D draft": [(float(length), spread.median) for length, spread in curves.draft.items()],
    }
    shown = {name: points for name, points in lines.items() if points}
    yield Content.styled("milliseconds of a pass, by drafted tokens", "$spark-quiet")
    for line in plot(shown, width=min(width, 76), height=_PLOT_ROWS, is_unicode=True):
        yield Content(line)
    for name, points in shown.items():
        medians = "  ".join(numbers.milliseconds(value) for _, value in points)
        yield Content.assemble((f"{name:9}", "$spark-quiet"), medians)
