"""Kept runs: a list, the figures of the one that is pointed at, and where speculation pays over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from sparkdesk.bench.run_store import KeptRun, where_it_pays
from sparkdesk.events import Progress
from sparkdesk.ui.bench import gain_table
from sparkdesk.ui.bench.measure_bar import MeasureBar
from sparkdesk.ui.bench.messages import CardWanted, ForgetWanted

_NONE = "No run is kept yet. The Suite tab measures one; it is then listed here, figures only."
_NAME = 30


class RunsTab(Vertical):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "card", "Report card", tooltip="Make a report card of the run, to save or copy", id="runs.card"),
        Binding("m", "map", "Where it pays", tooltip="Gains by domain over all kept runs", id="runs.map"),
        Binding("delete", "forget", "Delete", tooltip="Delete the run; press twice", id="runs.delete"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._runs: Sequence[KeptRun] = ()
        self._shows_map = False
        self._doomed: KeptRun | None = None
        """Delete was pressed once."""

    def compose(self) -> ComposeResult:
        yield OptionList(compact=True)
        yield MeasureBar()
        with VerticalScroll(classes="figures"):
            yield Static(_NONE, classes="table")

    def offer(self, runs: Sequence[KeptRun]) -> None:
        """All that are kept, newest first."""
        self._runs, self._doomed = runs, None
        options = self.query_one(OptionList)
        place = options.highlighted or 0
        options.clear_options()
        options.add_options(Option(_line(run), id=str(number)) for number, run in enumerate(runs))
        options.highlighted = min(place, len(runs) - 1) if runs else None
        self._show()

    @property
    def chosen(self) -> KeptRun | None:
        place = self.query_one(OptionList).highlighted
        return self._runs[place] if place is not None and place < len(self._runs) else None

    def take(self, progress: Progress) -> None:
        self.query_one(MeasureBar).progress = progress

    def end(self, *, is_complete: bool) -> None:
        self.query_one(MeasureBar).progress = None

    @on(OptionList.OptionHighlighted)
    def show_chosen(self) -> None:
        self._shows_map, self._doomed = False, None
        self._show()

    @on(OptionList.OptionSelected)
    def action_card(self) -> None:
        if self.chosen is not None:
            self.post_message(CardWanted(self.chosen))

    def action_map(self) -> None:
        self._shows_map = not self._shows_map
        self._show()

    def action_forget(self) -> None:
        if self.chosen is None:
            return
        if self._doomed is self.chosen:
            self.post_message(ForgetWanted(self.chosen))
        else:
            self._doomed = self.chosen
            self.query_one(MeasureBar).words = "Delete once more deletes this run for good."

    def _show(self) -> None:
        if self._doomed is None:
            self.query_one(MeasureBar).words = ""
        run = self.chosen
        lines = [Content(_NONE)] if run is None else list(self._map() if self._shows_map else _figures(run))
        self.query_one(".table", Static).update(Content("\n").join(lines))

    def _map(self) -> Iterator[Content]:
        """Domains across, pairs down."""
        gains = where_it_pays(self._runs)
        domains = list(dict.fromkeys(domain for of_pair in gains.values() for domain in of_pair))
        yield Content.styled("Where speculation pays: the gain of each pair's newest run", "bold")
        for domain in domains:
            yield Content()
            yield Content.styled(domain, "$spark-quiet")
            for pair, of_pair in gains.items():
                if domain in of_pair:
                    yield _bar(pair, of_pair[domain])


def _bar(pair: str, gain: float) -> Content:
    """A cell is a tenth of plain decoding's speed."""
    style = gain_table.gain_style(gain)
    name = pair if len(pair) <= _NAME else f"{pair[: _NAME - 1]}…"
    return Content.assemble(
        (f"  {name:{_NAME}} ", "$foreground"),
        (f"{gain:5.2f}x ", f"bold {style}"),
        ("█" * min(36, round(10 * gain)), style),
    )


def _line(run: KeptRun) -> Content:
    gain = run.overall["gain"]["median"]
    name = run.pair if len(run.pair) <= _NAME else f"{run.pair[: _NAME - 1]}…"
    rest = "" if run.found["is_complete"] else "  not complete"
    return Content.assemble(
        (f"{run.measured_at:%Y-%m-%d %H:%M}  ", "$spark-quiet"),
        f"{name:{_NAME}}",
        (f"{gain:6.2f}x", f"bold {gain_table.gain_style(gain)}"),
        (f"  {run.overall['comparisons']:>3} asked of {run.found['suite']}{rest}", "$spark-quiet"),
    )


def _figures(run: KeptRun) -> Iterator[Content]:
    found = run.found
    build = found["build"]
    yield Content.styled(run.pair, "bold")
    devices, threads = ", ".join(build["devices"]), build["threads"]
    how = f"greedy, at most {found['max_tokens']} tokens, draft length {found['draft_length'] or 'auto'}"
    yield Content.styled(f"{devices} · {threads} threads · {how} · SparkDesk {build['sparkdesk']}", "$spark-quiet")
    yield Content()
    yield from gain_table.table(found["domains"], run.overall)
    yield Content.styled(gain_table.LEGEND, "$spark-faint")
