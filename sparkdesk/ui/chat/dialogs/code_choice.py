"""Which of several code blocks is meant."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static

from sparkdesk.safe_text import safe_text

_SHOWN_LINES = 2


class CodeChoice(ModalScreen[str | None]):
    """Ends with the code, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close", show=False, id="code.close"),
    ]

    def __init__(self, blocks: Sequence[str]) -> None:
        super().__init__()
        self._blocks = list(blocks)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static("Copy which code block?", classes="title")
            yield OptionList(*(_peek(number, code) for number, code in enumerate(self._blocks, 1)))
            yield Static("Enter or a digit copies, Esc closes", classes="lead")

    def on_key(self, event: events.Key) -> None:
        if event.character and event.character.isdigit() and 1 <= int(event.character) <= len(self._blocks):
            event.stop()
            self.dismiss(self._blocks[int(event.character) - 1])

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._blocks[event.option_index])


def _peek(number: int, code: str) -> Content:
    lines = safe_text(code).split("\n") if code else [""]
    rest = len(lines) - _SHOWN_LINES
    more = [Content.styled(f"   … {rest} more line{'s' * (rest != 1)}", "$spark-quiet")] if rest > 0 else []
    peek = [Content(f"{number}  " if row == 0 else "   ") + line for row, line in enumerate(lines[:_SHOWN_LINES])]
    return Content("\n").join([*peek, *more])
