"""The line at the top: what is running, and the speculation switch."""

from textual.app import ComposeResult, RenderResult
from textual.containers import Horizontal
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.ui.widgets.switch import SpeculationSwitch


class Title(Widget):
    """The name of the program and of the pair."""

    pair: reactive[str] = reactive("")
    model: reactive[ModelInfo | None] = reactive(None)

    def render(self) -> RenderResult:
        where = f" · {', '.join(self.model.devices)}" if self.model else ""
        return Content.assemble(
            ("✦ SparkDesk", "bold $primary"), ("  " + self.pair, "$foreground"), (where, "$spark-quiet")
        )


class TopBar(Horizontal):
    pair: reactive[str] = reactive("")
    model: reactive[ModelInfo | None] = reactive(None)
    speculation: reactive[SpeculationSettings] = reactive(SpeculationSettings())
    problem: reactive[str] = reactive("")

    def compose(self) -> ComposeResult:
        yield Title().data_bind(TopBar.pair, TopBar.model)
        yield SpeculationSwitch().data_bind(TopBar.speculation, TopBar.problem)
