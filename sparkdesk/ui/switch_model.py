"""The dialog that loads another model of this machine, by its name."""

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static

from sparkdesk.safe_text import safe_line
from sparkdesk.ui.messages import PairChosen
from sparkdesk.ui.models.protocol import ModelManager
from sparkdesk.ui.shared.background import in_background

_NONE = "No model is on this machine yet. The models screen downloads one."


class SwitchModelScreen(ModalScreen[None]):
    """Posts PairChosen, which closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close", show=False, id="switch_model.close"),
        Binding("down", "move(1)", "Down", show=False, id="switch_model.down"),
        Binding("up", "move(-1)", "Up", show=False, id="switch_model.up"),
    ]

    def __init__(self, models: ModelManager) -> None:
        super().__init__()
        self._models = models
        self._names: list[str] = []
        self._shown: list[str] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("Switch model", classes="title")
            yield Input(placeholder="type to filter", compact=True)
            yield OptionList(compact=True)
            yield Static(classes="trouble")
            yield Static("↑↓ select  Enter loads  Esc closes", classes="keys")

    def on_mount(self) -> None:
        self.query_one(OptionList).can_focus = False
        self.query_one(Input).focus()
        in_background(self, self._read, group="models", done=self._take, failed=self._fail)

    def _read(self) -> list[str]:
        from sparkdesk.ui.models.rows import opened_by

        library, bundled = self._models.contents().library, self._models.bundled
        pairs = [opened_by(pair, bundled) for pair in library.pairs]
        lone = [opened_by(model, bundled) for model in library.targets]
        return list(dict.fromkeys(name for name in (bundled, *pairs, *lone) if name))

    def _take(self, names: list[str]) -> None:
        self._names = names
        self._fill("")

    def _fail(self, cause: str, hint: str) -> None:
        self.query_one(".trouble", Static).update(Content.styled(safe_line(f"{cause} {hint}".strip()), "$warning"))

    @on(Input.Changed)
    def filter(self, event: Input.Changed) -> None:
        self._fill(event.value.strip().lower())

    def _fill(self, sought: str) -> None:
        self._shown = [name for name in self._names if sought in name.lower()]
        options = self.query_one(OptionList)
        options.set_options([Content(safe_line(_said(name))) for name in self._shown])
        options.highlighted = 0 if self._shown else None
        trouble = "" if self._shown else "No matches." if self._names else _NONE
        self.query_one(".trouble", Static).update(trouble)

    def action_move(self, step: int) -> None:
        options = self.query_one(OptionList)
        (options.action_cursor_down if step > 0 else options.action_cursor_up)()

    @on(Input.Submitted)
    def choose_highlighted(self) -> None:
        index = self.query_one(OptionList).highlighted
        if index is not None:
            self._choose(index)

    @on(OptionList.OptionSelected)
    def choose_clicked(self, event: OptionList.OptionSelected) -> None:
        self._choose(event.option_index)

    def _choose(self, index: int) -> None:
        self.app.post_message(PairChosen(self._shown[index]))


def _said(name: str) -> str:
    """A model without a pair goes by its path: the file's name is what people know."""
    path = Path(name)
    return f"{path.name}  in {path.parent.name}" if path.is_absolute() else name
