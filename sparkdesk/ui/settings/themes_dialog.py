"""Choosing the colours: what is in front is put on at once, and taken off again unless it is chosen."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option


class ThemesScreen(ModalScreen[str | None]):
    CSS_PATH = "settings.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Keep what was", show=False, id="themes.close")]

    def __init__(self) -> None:
        super().__init__()
        self._before = ""

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static("Colours", classes="title")
            yield OptionList()
            yield Static("Enter chooses, Esc keeps what was", classes="lead")

    def on_mount(self) -> None:
        self._before = self.app.theme
        # Ours first, then Textual's; the one made for terminals without colours of their own comes last.
        names = sorted(self.app.available_themes, key=lambda name: (not name.startswith("spark-"), name))
        rows = self.query_one(OptionList)
        rows.add_options(Option(name, id=name) for name in names)
        rows.highlighted = names.index(self._before)
        rows.focus()

    @on(OptionList.OptionHighlighted)
    def try_on(self, event: OptionList.OptionHighlighted) -> None:
        self.app.theme = event.option.id or self._before

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id)

    def action_leave(self) -> None:
        self.app.theme = self._before
        self.dismiss(None)
