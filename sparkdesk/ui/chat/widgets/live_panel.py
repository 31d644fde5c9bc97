"""The live panel at the right: everything there is to see about speculation, in sections of fixed height."""

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.reactive import reactive

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.ui.chat.live_stats import LiveFigures
from sparkdesk.ui.chat.widgets.gain_sections import AcceptanceSection, GainSection, RoundSection
from sparkdesk.ui.chat.widgets.model_sections import ModelSection, TotalsSection
from sparkdesk.ui.chat.widgets.speed_section import SpeedSection


class LivePanel(VerticalScroll, can_focus=False):
    figures: reactive[LiveFigures] = reactive(LiveFigures(), repaint=False)
    model: reactive[ModelInfo | None] = reactive(None)
    problem: reactive[str] = reactive("")
    left_out: reactive[int] = reactive(0)

    def compose(self) -> ComposeResult:
        for section in (SpeedSection(), GainSection(), AcceptanceSection(), RoundSection()):
            yield section.data_bind(LivePanel.figures, LivePanel.model)
        yield TotalsSection().data_bind(LivePanel.figures, LivePanel.model, LivePanel.left_out)
        yield ModelSection().data_bind(LivePanel.figures, LivePanel.model, LivePanel.problem)
