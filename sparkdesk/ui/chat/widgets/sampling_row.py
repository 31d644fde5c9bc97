"""One value that can be set: its name, a field, and what the makers of the model recommend, one click away."""

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from sparkdesk.ui.settings.fields import NotThis, Number, SettingField


class Recommended(Static):
    """What it goes back to when clicked."""

    def on_click(self) -> None:
        row = self.parent
        assert isinstance(row, SamplingRow)
        row.action_go_back()


class SamplingRow(Horizontal):
    """Says when its value has changed, and when what is written is no value."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "go_back", "Default", show=False, id="conversation_settings.back"),
    ]

    @dataclass
    class Changed(Message):
        """What is written was read; `trouble` says why it makes no sense."""

        row: "SamplingRow"
        trouble: str

    def __init__(self, field: SettingField, value: Number, default: Number, *, is_advised: bool) -> None:
        """`is_advised` where the default is what the makers of the model recommend."""
        super().__init__()
        self.field = field
        self.value = value
        """The last one that made sense."""
        self.trouble = ""
        self._default = default
        self._what = "recommended" if is_advised and field.is_recommended else "default"

    def compose(self) -> ComposeResult:
        yield Static(self.field.label, classes="label")
        yield Input(self.field.show(self.value), compact=True)
        yield Recommended()

    def on_mount(self) -> None:
        self._compare()

    def offer(self, value: Number, default: Number) -> None:
        """Show another value, and what it would go back to."""
        self._default = default
        self.value, self.trouble = value, ""
        self.query_one(Input).value = self.field.show(value)
        self._compare()

    @on(Input.Changed)
    def read(self, event: Input.Changed) -> None:
        event.stop()
        try:
            self.value, self.trouble = self.field.parse(event.value.strip()), ""
        except NotThis as error:
            self.trouble = str(error)
        self.query_one(Input).set_class(bool(self.trouble), "-invalid")
        self._compare()
        self.post_message(self.Changed(self, self.trouble))

    @on(Input.Submitted)
    def go_on(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.focus_next()

    def action_go_back(self) -> None:
        self.query_one(Input).value = self.field.show(self._default)

    def _compare(self) -> None:
        words = self.field.show(self._default)
        is_there = not self.trouble and self.value == self._default
        if is_there:
            line = Content.styled(f"✓ {self._what}", "$spark-quiet")
        else:
            line = Content.assemble(("↺ ", "bold $primary"), (f"{self._what} {words}", "$primary"))
        self.query_one(Recommended).update(line)
