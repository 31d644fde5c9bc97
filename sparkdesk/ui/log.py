"""What happened, and what the engine said last: to be read, and copied into a bug report."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from sparkdesk.safe_text import safe_text
from sparkdesk.ui.shared.key_bar import KeyBar

_ABOUT = "No prompt, reply or key is in it. Look through it before you share it."


class LogScreen(Screen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy", "Copy", tooltip="Copy all of it to the clipboard", id="log.copy"),
        Binding("r", "read", "Refresh", tooltip="See what came since", id="log.refresh"),
        Binding("escape", "app.go_back", "Back", tooltip="To the chat", id="log.close"),
    ]

    def __init__(self, report: Callable[[], str]) -> None:
        super().__init__()
        self._report = report
        self._shown = ""

    def compose(self) -> ComposeResult:
        yield Static(Content.assemble(("✦ Log", "bold $primary"), f"  {_ABOUT}"), classes="bar")
        with VerticalScroll():
            yield Static(id="report")
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
        self.action_read()

    def action_read(self) -> None:
        self._shown = self._report()
        self.query_one("#report", Static).update(Content(safe_text(self._shown)))
        self.call_after_refresh(self.query_one(VerticalScroll).scroll_end, animate=False)

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._shown)
        self.notify("Copied the log.", timeout=2)
