"""The speculation switch: shows whether the draft is at work, and asks for the other state when clicked."""

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.ui.messages import SwitchPressed

ON, OFF, NONE = "●", "○", "⊘"


def draft_words(draft_length: int | None) -> str:
    return "draft auto" if draft_length is None else f"draft {draft_length}"


class SpeculationSwitch(Widget):
    """State by glyph and word as well as by colour."""

    speculation: reactive[SpeculationSettings] = reactive(SpeculationSettings(), layout=True)
    problem: reactive[str] = reactive("", layout=True)
    """Why there is nothing to switch; empty when there is."""

    def render(self) -> RenderResult:
        if self.problem:
            return Content.assemble((f"{NONE} ", "$warning"), ("no speculation", "$spark-quiet"))
        if not self.speculation.is_enabled:
            return Content.assemble((f"{OFF} speculation ", "$spark-quiet"), ("OFF", "bold $foreground"))
        return Content.assemble(
            (f"{ON} ", "$primary"),
            ("speculation ", "$foreground"),
            ("ON", "bold $primary"),
            (f" · {draft_words(self.speculation.draft_length)}", "$spark-quiet"),
        )

    def watch_problem(self, problem: str) -> None:
        self.tooltip = problem or "Click or press Ctrl+S to switch, also while a reply is being written."

    def on_click(self) -> None:
        self.post_message(SwitchPressed())
