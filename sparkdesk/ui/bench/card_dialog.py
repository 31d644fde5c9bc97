"""A report card: what it looks like, and where to put it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from sparkdesk.bench.requests import CardMade
from sparkdesk.errors import SparkDeskError
from sparkdesk.local_path import expanded, home_folder
from sparkdesk.ui.keys import key_name

_KEYS = (
    "Press {} to save it, with the results as JSON, {} to copy it, {} to close. It contains no prompts and no paths."
)


class CardDialog(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", tooltip="Close the card", id="card.close"),
        Binding("s", "save", "Save", tooltip="Save it as Markdown and JSON", id="card.save"),
        Binding("c", "copy", "Copy", tooltip="Copy the Markdown", id="card.copy"),
    ]

    def __init__(self, made: CardMade, save: Callable[[CardMade, Path], Sequence[Path]]) -> None:
        super().__init__()
        self._made, self._save = made, save

    def compose(self) -> ComposeResult:
        from textual.widgets import Markdown  # takes a while to import

        with Vertical():
            with VerticalScroll():
                yield Markdown(self._made.markdown)
            yield Static(
                _KEYS.format(*(key_name(self, f"card.{name}") for name in ("save", "copy", "close"))), classes="lead"
            )
            yield Input(placeholder="file to save it to", compact=True)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def _keys(self) -> str:
        return _KEYS.format(*(key_name(self, f"card.{name}") for name in ("save", "copy", "close")))

    def action_close(self) -> None:
        if self.query_one(Input).has_focus:
            self.query_one(VerticalScroll).focus()
        else:
            self.dismiss()

    def action_save(self) -> None:
        """Ask where; the name that is offered is free."""
        field = self.query_one(Input)
        field.value = str(_free_name(self._made))
        field.focus()

    @on(Input.Submitted)
    def save(self, message: Input.Submitted) -> None:
        message.stop()
        given = message.value.strip()
        out = expanded(given)
        if not given:
            return
        out = out if out.suffix else out.with_suffix(".md")
        try:
            written = self._save(self._made, out)
        except SparkDeskError as error:
            self.notify(str(error), severity="error")
            return
        self.query_one(".lead", Static).update(f"Saved: {' and '.join(map(str, written))}")
        self.query_one(VerticalScroll).focus()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._made.markdown)
        self.notify("Copied the card as Markdown.", timeout=2)


def _free_name(made: CardMade) -> Path:
    stem = "-".join(made.card["model"]["target"].lower().split())
    stem = "".join(letter for letter in stem if letter.isalnum() or letter in "-._")
    for number in range(1, 1000):
        name = home_folder() / f"sparkdesk-{stem}{'' if number == 1 else f'-{number}'}.md"
        if not name.exists() and not name.with_suffix(".json").exists():
            return name
    return home_folder() / f"sparkdesk-{stem}.md"
