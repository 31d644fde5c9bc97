"""The line at the top: what is running, and the speculation switch."""

from textual import events
from textual.app import ComposeResult, RenderResult
from textual.containers import Horizontal
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.safe_text import safe_line
from sparkdesk.ui.chat.draft_choice import NO_CHOICE, DraftChoice
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.widgets.speculation_switch import SpeculationSwitch

_ROOM_FOR_REASONS = 110


class Title(Widget):
    """The name of the program and of the pair."""

    pair: reactive[str] = reactive("")
    model: reactive[ModelInfo | None] = reactive(None)
    is_thinking: reactive[bool] = reactive(False)
    has_system_prompt: reactive[bool] = reactive(False)
    not_kept: reactive[str] = reactive("")
    """Why what is said is not in the history."""
    job: reactive[str] = reactive("")
    """A download or a build that goes on elsewhere."""

    def render(self) -> RenderResult:
        where = f" · {', '.join(self.model.devices)}" if self.model else ""
        return Content.assemble(
            ("✦ SparkDesk", "bold $primary"),
            ("  " + self.pair, "$foreground"),
            ("  ✗ not kept" if self.not_kept else "", "bold $error"),
            ("  ∴ thinking" if self.is_thinking else "", "bold $secondary"),
            ("  ¶ system prompt" if self.has_system_prompt else "", "$secondary"),
            (f"  ⇣ {safe_line(self.job)}" if self.job else "", "$primary"),
            (where, "$spark-quiet"),
        )


class TopBar(Horizontal):
    pair: reactive[str] = reactive("")
    model: reactive[ModelInfo | None] = reactive(None)
    speculation: reactive[SpeculationSettings] = reactive(SpeculationSettings())
    problem: reactive[str] = reactive("")
    choice: reactive[DraftChoice] = reactive(NO_CHOICE, repaint=False)
    stage: reactive[Stage] = reactive(Stage.LOADING, repaint=False)
    is_thinking: reactive[bool] = reactive(False)
    has_system_prompt: reactive[bool] = reactive(False)
    not_kept: reactive[str] = reactive("")
    job: reactive[str] = reactive("")
    gives_reasons: reactive[bool] = reactive(False)

    def compose(self) -> ComposeResult:
        bar = TopBar
        yield Title().data_bind(bar.pair, bar.model, bar.is_thinking, bar.has_system_prompt, bar.not_kept, bar.job)
        yield SpeculationSwitch().data_bind(
            TopBar.model, TopBar.speculation, TopBar.problem, TopBar.choice, TopBar.stage, TopBar.gives_reasons
        )

    def on_resize(self, event: events.Resize) -> None:
        self.gives_reasons = event.size.width >= _ROOM_FOR_REASONS
