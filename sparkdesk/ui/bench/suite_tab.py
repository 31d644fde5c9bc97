"""The suite: which domains and how much of them, and a table that fills while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from sparkdesk.bench.figures import by_domain, figures_of
from sparkdesk.bench.requests import SuiteAsked
from sparkdesk.bench.results import Comparison
from sparkdesk.bench.run_report import figures_as_json
from sparkdesk.bench.suite import Prompt
from sparkdesk.events import Notice, Progress
from sparkdesk.ui.bench import gain_table
from sparkdesk.ui.bench.measure_bar import MeasureBar
from sparkdesk.ui.bench.messages import KeepWanted, RunWanted
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.shared.cycle import Cycle
from sparkdesk.ui.shared.toggle import Toggle

_LIMITS = (1, 2, 4)
_LENGTHS = (64, 128, 256, 512)
_EMPTY = (
    "Every prompt of the suite is answered twice, plainly and with speculation, each from an empty cache. The table "
    "says what that gains where, and whether the texts are the same.",
    "",
    "Press {} to start. It may be stopped at any time: what was measured is kept.",
)


class SuiteTab(Vertical):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "start", "Start", tooltip="Run the suite", id="suite.start"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._prompts: Sequence[Prompt] = ()
        self._asked: SuiteAsked | None = None
        self._comparisons: list[Comparison] = []
        self._notices: list[str] = []

    def compose(self) -> ComposeResult:
        yield Horizontal(classes="domains")
        with Horizontal(classes="options"):
            limits = [*((f"{count}", count) for count in _LIMITS), ("all", None)]
            yield Cycle[int | None]("prompts of each domain:", limits, place=1, id="per-domain")
            yield Cycle(
                "replies of at most", [(f"{length} tokens", length) for length in _LENGTHS], place=1, id="reply"
            )
        yield MeasureBar()
        with VerticalScroll(classes="figures"):
            yield Static(self._how_to_begin(), classes="table")

    async def offer(self, prompts: Sequence[Prompt]) -> None:
        """The suite to choose from."""
        if prompts == self._prompts:
            return
        self._prompts = prompts
        domains = self.query_one(".domains", Horizontal)
        await domains.remove_children()
        await domains.mount_all(Toggle(domain) for domain in dict.fromkeys(prompt.domain for prompt in prompts))

    def _how_to_begin(self) -> Content:
        return Content("\n".join(_EMPTY).format(key_name(self, "suite.start")))

    def begin(self, asked: SuiteAsked) -> None:
        self._asked, self._comparisons, self._notices = asked, [], []
        self.query_one(MeasureBar).progress = Progress("warming up", 0, 0, "prompts")
        self._show_table()
        self.query_one(".figures").focus()

    def take(self, event: Progress | Notice | Comparison) -> None:
        if isinstance(event, Progress):
            self.query_one(MeasureBar).progress = event
        elif isinstance(event, Notice):
            self._notices.append(event.text)
            self._show_table()
        else:
            self._comparisons.append(event)
            self._show_table()

    def end(self, *, is_complete: bool) -> None:
        bar = self.query_one(MeasureBar)
        bar.progress = None
        if self._comparisons and self._asked is not None:
            bar.words = "Done." if is_complete else "Stopped; these are the figures up to there."
            self.post_message(KeepWanted(self._asked, tuple(self._comparisons), is_complete))
        else:
            bar.words = "Nothing was measured."

    def say_kept(self) -> None:
        bar = self.query_one(MeasureBar)
        bar.words = f"{bar.words} Kept under Runs, where a report card can be made of it."

    def action_start(self) -> None:
        domains = tuple(toggle.word for toggle in self.query(Toggle) if toggle.is_on)
        if not domains:
            self.notify("No domain is chosen.", severity="warning")
            return
        per_domain, length = self.query_one("#per-domain", Cycle).value, self.query_one("#reply", Cycle).value
        self.post_message(RunWanted(SuiteAsked(domains, per_domain, length)))

    def _show_table(self) -> None:
        self.query_one(".table", Static).update(Content("\n").join(self._lines()))

    def _lines(self) -> Iterator[Content]:
        domains = {name: figures_as_json(found) for name, found in by_domain(self._comparisons).items()}
        yield from gain_table.table(domains, figures_as_json(figures_of(self._comparisons)))
        yield Content.styled(gain_table.LEGEND, "$spark-faint")
        yield from (Content.styled(notice, "$warning") for notice in self._notices)
