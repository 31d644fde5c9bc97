"""The live panel at the right: everything there is to see about speculation, in sections of fixed height."""

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.reactive import reactive

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.ui.chat.live_stats import LiveFigures
from sparkdesk.ui.chat.widgets.gain_sections import AcceptanceSection, GainSection, RoundSection
from sparkdesk.ui.chat.widgets.model_sections import ModelSection, TotalsSection
from sparkdesk.ui.chat.widgets.speculation_switch import is_lookup
from sparkdesk.ui.chat.widgets.speed_section import SpeedSection


class LivePanel(VerticalScroll, can_focus=False):
    figures: reactive[LiveFigures] = reactive(LiveFigures(), repaint=False)
    model: reactive[ModelInfo | None] = reactive(None)
    problem: reactive[str] = reactive("")
    left_out: reactive[int] = reactive(0)
    context_used: reactive[int] = reactive(0)

    def compose(self) -> ComposeResult:
        for section in (SpeedSection(), GainSection(), AcceptanceSection(), RoundSection()):
            yield section.data_bind(LivePanel.figures, LivePanel.model)
        yield TotalsSection().data_bind(LivePanel.figures, LivePanel.model, LivePanel.left_out, LivePanel.context_used)
        yield ModelSection().data_bind(LivePanel.figures, LivePanel.model, LivePanel.problem)

    def watch_figures(self) -> None:
        self._choose_sections()

    def watch_model(self) -> None:
        self._choose_sections()

    def _choose_sections(self) -> None:
        """Of a server only what it tells; and without a draft no rows for its positions."""
        self.set_class(is_lookup(self.model), "-lookup")
        is_silent = self.model is not None and bool(self.model.switch_problem) and not self.figures.speculation.verified
        self.set_class(is_silent, "-silent")
