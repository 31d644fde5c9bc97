"""The dialog that picks a text file to go with a message: a path that completes itself while it is typed."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static

from sparkdesk.chat.messages import Attachment
from sparkdesk.errors import SparkDeskError
from sparkdesk.safe_text import safe_line
from sparkdesk.ui.chat.attachments import common_beginning, completions, expanded, read_attachment

_KEYS = (("Tab", "completes"), ("↑↓", "pick"), ("Enter", "attaches"), ("Esc", "closes"))


class PathInput(Input):
    """Takes these keys in the order they were struck: as bindings with priority they would overtake letters that
    arrive in the same burst, and without, they would move the focus."""

    @dataclass
    class Asked(Message):
        key: str

    async def _on_key(self, event: events.Key) -> None:
        if event.key not in ("tab", "up", "down"):
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()
        self.post_message(self.Asked(event.key))


class AttachScreen(ModalScreen[Attachment | None]):
    """Returns the file with its text; None when the user gave up."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "Close", show=False, id="attach.close"),
    ]

    def __init__(self, *, home: Path, here: Path, written: str = "") -> None:
        super().__init__()
        self._home, self._here, self._written = home, here, written
        self._found: list[str] = []
        self._is_moved = False
        """Whether the user picked from the list since the last letter."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content.assemble(("Attach a text file", "bold"), ("  ~ is your home folder", "$spark-quiet")))
            yield PathInput(self._written, placeholder="path of the file", compact=True)
            yield OptionList(compact=True)
            yield Static(classes="trouble")
            parts = [part for key, what in _KEYS for part in ((f"{key} ", "bold $primary"), f"{what}  ")]
            yield Static(Content.assemble(*parts), classes="keys")

    def on_mount(self) -> None:
        self.query_one(OptionList).can_focus = False
        self.query_one(PathInput).focus()
        self._list(self._written)

    @on(PathInput.Changed)
    def follow(self, event: PathInput.Changed) -> None:
        self._is_moved = False
        self._say("")
        self._list(event.value)

    @work(exclusive=True, group="list")
    async def _list(self, written: str) -> None:
        """In a thread: a folder may be on a disk that has to wake up."""
        found = await asyncio.to_thread(completions, written, home=self._home, here=self._here)
        if written != self.query_one(PathInput).value:
            return
        self._found = found
        shown = self.query_one(OptionList)
        names = (path.rstrip("/").rpartition("/")[2] + "/" * path.endswith("/") for path in found)
        shown.set_options([Content(safe_line(name)) for name in names])
        shown.highlighted = 0 if found else None
        if not found:
            self._say("Nothing here begins like that." if written else "This folder is empty.")

    @on(PathInput.Submitted)
    def enter(self) -> None:
        """A path written whole counts; else what is highlighted."""
        written = self.query_one(PathInput).value
        picked = self._picked
        is_whole = expanded(written, home=self._home, here=self._here).is_file() and not self._is_moved
        self._take(written if is_whole or picked is None else picked)

    @on(OptionList.OptionSelected)
    def take_clicked(self, event: OptionList.OptionSelected) -> None:
        self._take(self._found[event.option_index])

    def _take(self, written: str) -> None:
        if written.endswith("/"):
            self._write(written)
        elif not written.strip():
            self._say("Write the path of a file.")
        else:
            self._read(expanded(written, home=self._home, here=self._here))

    @work(exclusive=True, group="read")
    async def _read(self, path: Path) -> None:
        try:
            attachment = await asyncio.to_thread(read_attachment, path)
        except SparkDeskError as error:
            self._say(str(error))
        else:
            self.dismiss(attachment)

    @property
    def _picked(self) -> str | None:
        index = self.query_one(OptionList).highlighted
        return self._found[index] if index is not None and index < len(self._found) else None

    @on(PathInput.Asked)
    def move_or_complete(self, message: PathInput.Asked) -> None:
        shown = self.query_one(OptionList)
        if message.key == "tab":
            self._complete(self.query_one(PathInput).value)
            return
        self._is_moved = True
        if message.key == "down":
            shown.action_cursor_down()
        else:
            shown.action_cursor_up()

    @work(exclusive=True, group="complete")
    async def _complete(self, written: str) -> None:
        """As far as it is clear; from there on, what is highlighted."""
        if self._is_moved and self._picked:
            self._write(self._picked)
            return
        found = await asyncio.to_thread(completions, written, home=self._home, here=self._here)
        longer = common_beginning(found, written)
        if longer == written and found:
            longer = self._picked if self._picked in found else found[0]
        if written == self.query_one(PathInput).value:
            self._write(longer)

    def action_give_up(self) -> None:
        self.dismiss(None)

    def _write(self, path: str) -> None:
        field = self.query_one(PathInput)
        field.value = path
        field.cursor_position = len(path)

    def _say(self, trouble: str) -> None:
        self.query_one(".trouble", Static).update(Content.styled(safe_line(trouble), "$warning"))
