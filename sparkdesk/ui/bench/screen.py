"""The bench screen: owns the one worker that measures, and hands what it brings to the tab that asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import OptionList, TabbedContent, TabPane
from textual.worker import Worker, WorkerState, get_current_worker

from sparkdesk.bench.race_report import one_line
from sparkdesk.bench.requests import CardMade
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.errors import SparkDeskError
from sparkdesk.ui.bench.card_dialog import CardDialog
from sparkdesk.ui.bench.curves_tab import CurvesTab
from sparkdesk.ui.bench.measure_bar import BenchBar
from sparkdesk.ui.bench.messages import (
    CardWanted,
    CopyRace,
    ForgetWanted,
    KeepWanted,
    MeasuringEnded,
    RaceWanted,
    RunKept,
    RunWanted,
    SweepWanted,
)
from sparkdesk.ui.bench.protocol import BenchBackend
from sparkdesk.ui.bench.race_tab import RacePrompt, RaceTab
from sparkdesk.ui.bench.runs_tab import RunsTab
from sparkdesk.ui.bench.suite_tab import SuiteTab
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.shared.background import BUG_HINT, unexpected
from sparkdesk.ui.shared.banner import Banner
from sparkdesk.ui.shared.cycle import Cycle
from sparkdesk.ui.shared.event_queue import until
from sparkdesk.ui.shared.key_bar import KeyBar
from sparkdesk.ui.shared.prompt import Prompt
from sparkdesk.ui.shared.toggle import Toggle

Taker = RaceTab | SuiteTab | CurvesTab | RunsTab
"""A tab that was given the worker: it takes the events, and is told of their end."""

_TABS = {
    "race": "Race one prompt",
    "suite-tab": "Run the suite",
    "curves": "Cost curves",
    "runs": "Kept runs and report cards",
}
_LOOK_S = 0.2
"""Seldom, because what draws here takes time from what is measured."""


class BenchScreen(Screen[None]):
    CSS_PATH = "bench.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", tooltip="Stop the measuring; else back to the chat", id="bench.leave"),
        *(
            Binding(str(number), f"show_tab({tab!r})", words, show=False, id=f"bench.{tab}")
            for number, (tab, words) in enumerate(_TABS.items(), start=1)
        ),
        Binding("ctrl+r", "reload", "Reload", show=False, tooltip="Load the model again", id="bench.reload"),
    ]

    measuring: reactive[str] = reactive("")
    """What is being measured, in a word; empty when nothing is."""

    def __init__(self, backend: BenchBackend) -> None:
        super().__init__()
        self.backend = backend
        self._events: SimpleQueue[Any] = SimpleQueue()
        self._taker: Taker | None = None
        self._model: ModelInfo | None = None
        self._is_looked_at = False

    def compose(self) -> ComposeResult:
        yield BenchBar().data_bind(BenchScreen.measuring)
        yield Banner()
        with TabbedContent():
            with TabPane("1 Race", id="race"):
                yield RaceTab(lambda: self.backend.bench.sampling)
            with TabPane("2 Suite", id="suite-tab"):
                yield SuiteTab()
            with TabPane("3 Curves", id="curves"):
                yield CurvesTab()
            with TabPane("4 Runs", id="runs"):
                yield RunsTab()
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_interval(_LOOK_S, self.look)
        self.query_one(Prompt).focus()

    async def on_screen_resume(self) -> None:
        await self.look_at_backend()

    async def look_at_backend(self) -> None:
        """Another pair may have been loaded meanwhile, or the first one."""
        bar = self.query_one(BenchBar)
        bar.pair, bar.model = self.backend.name, self.backend.model
        if bar.model == self._model and self._is_looked_at:
            return
        self._model, self._is_looked_at = bar.model, True
        prompts = self.backend.bench.prompts()
        self.query_one(RaceTab).offer(prompts)
        await self.query_one(SuiteTab).offer(prompts)
        self.query_one(CurvesTab).offer(prompts)
        self.show_runs()
        if not self.measuring:
            self.query_one(Banner).rest()
            if self.why_not:
                self.query_one(Banner).warn(self.why_not, "", "")

    @property
    def why_not(self) -> str:
        """Why nothing can be measured with what is loaded; empty when it can."""
        model = self.backend.model
        if model is None:
            return f"There is no model to measure with. {key_name(self, 'bench.reload')} loads it."
        if model.switch_problem:
            return "The bench measures models of this machine, and this desk is connected to a server."
        if model.draft_name is None or model.draft_problem:
            return f"There is nothing to compare: {model.draft_problem or 'no draft was loaded with this target'}."
        return ""

    # Measuring

    @on(RaceWanted)
    def begin_race(self, message: RaceWanted) -> None:
        tab = self.query_one(RaceTab)
        if self.measure("race", tab, lambda: self.backend.bench.race(message.text, message.settings)):
            tab.begin(message.text)

    @on(RunWanted)
    def begin_run(self, message: RunWanted) -> None:
        tab = self.query_one(SuiteTab)
        if self.measure("suite", tab, lambda: self.backend.bench.run(message.asked)):
            tab.begin(message.asked)

    @on(SweepWanted)
    def begin_sweep(self, message: SweepWanted) -> None:
        tab = self.query_one(CurvesTab)
        if self.measure("cost curves", tab, lambda: self.backend.bench.sweep(message.asked)):
            tab.begin()

    @on(CardWanted)
    def begin_card(self, message: CardWanted) -> None:
        self.measure(
            "files of the card", self.query_one(RunsTab), lambda: self.backend.bench.card(message.run), needs_pair=False
        )

    def race(self, text: str) -> None:
        """Ask both arms this, as if it had been typed here."""
        self.query_one(TabbedContent).active = "race"
        self.post_message(RaceWanted(text, self.query_one(RaceTab).settings()))

    def measure(
        self, what: str, taker: Taker, steps: Callable[[], Iterator[object]], *, needs_pair: bool = True
    ) -> bool:
        """Start the worker, or say why not."""
        why_not = self.why_not if needs_pair else ""
        if self.measuring:
            why_not = f"Still measuring: {self.measuring}. {key_name(self, 'bench.leave')} stops it."
        if why_not:
            self.notify(why_not, severity="warning")
            return False
        self.query_one(Banner).rest()
        self.measuring, self._taker = what, taker
        self.run_steps(steps)
        return True

    @work(thread=True, exclusive=True, group="bench", exit_on_error=False)
    def run_steps(self, steps: Callable[[], Iterator[object]]) -> None:
        worker = get_current_worker()
        try:
            for event in until(steps(), has_ended=lambda: worker.is_cancelled):
                self._events.put(event)
        except SparkDeskError as error:
            self.post_message(MeasuringEnded(error.message, error.hint))
        else:
            self.post_message(MeasuringEnded(is_cancelled=worker.is_cancelled))

    async def look(self) -> None:
        if self.is_current:
            await self.look_at_backend()
        self.show_events()

    def show_events(self) -> None:
        """Hand on what the worker has brought since the last look."""
        while not self._events.empty() and self._taker is not None:
            event = self._events.get()
            if isinstance(event, CardMade):
                self.app.push_screen(CardDialog(event, self.backend.bench.save))
            else:
                self._taker.take(event)

    @on(MeasuringEnded)
    def settle(self, message: MeasuringEnded) -> None:
        self.show_events()
        self.measuring = ""
        if self._taker is not None:
            self._taker.end(is_complete=not message.cause and not message.is_cancelled)
        if message.cause:
            key = f"{key_name(self, 'bench.reload')} loads the model again" if self.backend.model is None else ""
            self.query_one(Banner).warn(message.cause, message.hint, key)
        elif message.is_cancelled:
            self.query_one(Banner).tell("Stopped.")

    @on(Worker.StateChanged)
    def show_failed_measuring(self, event: Worker.StateChanged) -> None:
        error = event.worker.error
        if event.worker.group == "bench" and event.state is WorkerState.ERROR and error is not None:
            self.settle(MeasuringEnded(unexpected(error), BUG_HINT))

    # Kept runs

    @on(KeepWanted)
    @work(thread=True, group="keep", exit_on_error=False)
    def keep_run(self, message: KeepWanted) -> None:
        """Asks the system about the machine, which may take a moment."""
        try:
            run = self.backend.bench.keep(message.asked, message.comparisons, is_complete=message.is_complete)
        except SparkDeskError as error:
            self.app.call_from_thread(self.query_one(Banner).warn, error.message, error.hint, "")
        else:
            self.post_message(RunKept(run))

    @on(RunKept)
    def show_kept(self) -> None:
        self.query_one(SuiteTab).say_kept()
        self.show_runs()

    @on(ForgetWanted)
    def forget_run(self, message: ForgetWanted) -> None:
        try:
            self.backend.bench.forget(message.run)
        except SparkDeskError as error:
            self.query_one(Banner).warn(error.message, error.hint, "")
        self.show_runs()

    def show_runs(self) -> None:
        self.query_one(RunsTab).offer(self.backend.bench.runs())

    # Keys

    @on(RacePrompt.Passed)
    def go_to_next_tab(self) -> None:
        self.action_show_tab(list(_TABS)[1])

    def action_show_tab(self, tab: str) -> None:
        self.query_one(TabbedContent).active = tab

    @on(TabbedContent.TabActivated)
    def enter_tab(self, message: TabbedContent.TabActivated) -> None:
        """To where its keys work; the race's prompt takes the words that are typed next."""
        first: dict[str, type[Widget]] = {"race": Prompt, "suite-tab": Toggle, "curves": Cycle, "runs": OptionList}
        pane = message.pane
        if pane.id not in first or pane.has_focus_within:  # the first tab says so late, when someone is at it already
            return
        for widget in list(pane.query(first[pane.id]))[:1]:
            widget.focus()

    def watch_measuring(self) -> None:
        self.refresh_bindings()

    async def action_leave(self) -> None:
        if self.measuring:
            self.workers.cancel_group(self, "bench")
        else:
            await self.app.run_action("app.go_back")

    async def action_reload(self) -> None:
        """Where loading can be watched."""
        await self.app.run_action("app.go_back")
        await self.app.run_action("screen.reload")

    @on(CopyRace)
    def copy_race(self, message: CopyRace) -> None:
        if self.backend.model is not None:
            self.app.copy_to_clipboard(one_line(message.race, self.backend.model))
            self.notify("Copied the result.", timeout=2)
