"""Something that is in or out, in one word: Space, Enter or a click changes it."""

from typing import ClassVar

from textual.app import RenderResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget


class Toggle(Widget, can_focus=True):
    """State by glyph as well as by colour."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,enter", "change", "In or out", show=False, id="fields.switch"),
        Binding("right", "screen.focus_next", "Next", show=False, id="fields.next"),
        Binding("left", "screen.focus_previous", "Previous", show=False, id="fields.previous"),
    ]
    is_on: reactive[bool] = reactive(True)

    def __init__(self, word: str) -> None:
        super().__init__()
        self.word = word

    def render(self) -> RenderResult:
        glyph = ("●", "$primary") if self.is_on else ("○", "$spark-faint")
        return Content.assemble(glyph, (f" {self.word}", "$foreground" if self.is_on else "$spark-quiet"))

    def action_change(self) -> None:
        self.is_on = not self.is_on

    def on_click(self) -> None:
        self.action_change()
