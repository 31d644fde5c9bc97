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
from textual.widgets import Footer, TabbedContent, TabPane
from textual.worker import Worker, WorkerState, get_current_worker

from sparkdesk.bench.race_words import one_line
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.errors import SparkDeskError
from sparkdesk.ui import endings
from sparkdesk.ui.batches import until
from sparkdesk.ui.bench_messages import CopyRace, MeasuringEnded, RaceWanted
from sparkdesk.ui.desk import Desk
from sparkdesk.ui.widgets.banner import Banner
from sparkdesk.ui.widgets.bench_bar import BenchBar
from sparkdesk.ui.widgets.prompt import Prompt
from sparkdesk.ui.widgets.race_tab import RaceTab

_LOOK_S = 0.2
"""Seldom, because what draws here takes time from what is measured."""


class BenchScreen(Screen[None]):
    CSS_PATH = "../bench.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", tooltip="Stop the measuring; else back to the chat", id="bench.leave"),
        Binding("ctrl+r", "reload", "Reload", show=False, tooltip="Load the model again", id="bench.reload"),
    ]

    measuring: reactive[str] = reactive("")
    """What is being measured, in a word; empty when nothing is."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self._events: SimpleQueue[Any] = SimpleQueue()
        self._taker: RaceTab | None = None
        self._model: ModelInfo | None = None
        self._is_looked_at = False

    def compose(self) -> ComposeResult:
        yield BenchBar().data_bind(BenchScreen.measuring)
        yield Banner()
        with TabbedContent(), TabPane("Race", id="race"):
            yield RaceTab(lambda: self.desk.bench.sampling)
        yield Footer()

    def on_mount(self) -> None:
        self.set_interval(_LOOK_S, self.show_events)
        self.query_one(Prompt).focus()

    def on_screen_resume(self) -> None:
        self.look_at_desk()

    def look_at_desk(self) -> None:
        """Another pair may have been loaded meanwhile, or the first one."""
        bar = self.query_one(BenchBar)
        bar.pair, bar.model = self.desk.name, self.desk.model
        if bar.model == self._model and self._is_looked_at:
            return
        self._model, self._is_looked_at = bar.model, True
        self.query_one(RaceTab).offer(self.desk.bench.prompts())
        if not self.measuring:
            self.query_one(Banner).rest()
            if self.why_not:
                self.query_one(Banner).warn(self.why_not, "", "")

    @property
    def why_not(self) -> str:
        """Why nothing can be measured with what is loaded; empty when it can."""
        model = self.desk.model
        if model is None:
            return "There is no model to measure with. Ctrl+R loads it."
        if model.draft_name is None or model.draft_problem:
            return f"There is nothing to compare: {model.draft_problem or 'no draft was loaded with this target'}."
        return ""

    # Measuring

    @on(RaceWanted)
    def begin_race(self, message: RaceWanted) -> None:
        tab = self.query_one(RaceTab)
        if self.measure("race", tab, lambda: self.desk.bench.race(message.text, message.settings)):
            tab.begin(message.text)

    def race(self, text: str) -> None:
        """Ask both arms this, as if it had been typed here."""
        self.query_one(TabbedContent).active = "race"
        self.post_message(RaceWanted(text, self.query_one(RaceTab).settings()))

    def measure(self, what: str, taker: RaceTab, steps: Callable[[], Iterator[object]]) -> bool:
        """Start the worker, or say why not."""
        why_not = f"The {self.measuring} is still being measured. Esc stops it." if self.measuring else self.why_not
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

    def show_events(self) -> None:
        """Hand on what the worker has brought since the last look."""
        if self.is_current:
            self.look_at_desk()
        while not self._events.empty() and self._taker is not None:
            self._taker.take(self._events.get())

    @on(MeasuringEnded)
    def settle(self, message: MeasuringEnded) -> None:
        self.show_events()
        if self._taker is not None:
            self._taker.end()
        self.measuring = ""
        if message.cause:
            key = "Ctrl+R loads the model again" if self.desk.model is None else ""
            self.query_one(Banner).warn(message.cause, message.hint, key)
        elif message.is_cancelled:
            self.query_one(Banner).tell("Stopped.")

    @on(Worker.StateChanged)
    def show_failed_measuring(self, event: Worker.StateChanged) -> None:
        error = event.worker.error
        if event.worker.group == "bench" and event.state is WorkerState.ERROR and error is not None:
            self.settle(MeasuringEnded(endings.unexpected(error), "This is a bug in SparkDesk."))

    # Keys

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
        if self.desk.model is not None:
            self.app.copy_to_clipboard(one_line(message.race, self.desk.model))
            self.notify("Copied the result.", timeout=2)
