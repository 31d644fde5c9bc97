"""A setting in one line that has a few values: Space, Enter, a click or the arrows go to the next."""

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from textual.app import RenderResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

Value = TypeVar("Value")


class Cycle(Widget, Generic[Value], can_focus=True):
    """Shows its label and the word for the value it is at."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,enter,right", "step(1)", "Next value", show=False, id="fields.next_value"),
        Binding("left", "step(-1)", "Previous value", show=False, id="fields.previous_value"),
    ]
    place: reactive[int] = reactive(0, layout=True)

    class Changed(Message):
        """Another value was chosen."""

    def __init__(
        self, label: str, values: Sequence[tuple[str, Value]], *, place: int = 0, id: str | None = None
    ) -> None:
        super().__init__(id=id or None)
        self._label, self._values = label, tuple(values)
        self.set_reactive(Cycle.place, place)

    @property
    def value(self) -> Value:
        return self._values[self.place][1]

    def offer(self, values: Sequence[tuple[str, Value]]) -> None:
        """Other values, beginning with the first."""
        self._values, self.place = tuple(values), 0
        self.refresh(layout=True)

    def render(self) -> RenderResult:
        label = f"{self._label} " if self._label else ""
        word = self._values[self.place][0]
        return Content.assemble((label, "$spark-quiet"), (word, "$foreground"), (" ▾", "$primary"))

    def action_step(self, step: int) -> None:
        self.place = (self.place + step) % len(self._values)
        self.post_message(self.Changed())

    def on_click(self) -> None:
        self.action_step(1)
