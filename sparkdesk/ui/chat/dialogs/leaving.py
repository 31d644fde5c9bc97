"""Asks before leaving where the conversation would be lost: it could not be kept."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from sparkdesk.safe_text import safe_line
from sparkdesk.ui.keys import key_name

EXPORT, LEAVE = "export", "leave"


class LeavingScreen(ModalScreen[str | None]):
    """Returns EXPORT, LEAVE, or None to stay."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "export", "Export", show=False, id="leaving.export"),
        Binding("l", "leave", "Leave", show=False, id="leaving.leave"),
        Binding("escape", "stay", "Stay", show=False, id="leaving.stay"),
    ]

    def __init__(self, reason: str) -> None:
        super().__init__()
        self._reason = reason

    def compose(self) -> ComposeResult:
        key = "bold $primary"
        with Vertical(classes="dialog"):
            yield Static("This conversation is not kept", classes="title")
            yield Static(Content(f"{safe_line(self._reason)} After leaving it is gone."))
            yield Static(
                Content.assemble(
                    (f"{key_name(self, 'leaving.export')} ", key), "exports it  ",
                    (f"{key_name(self, 'leaving.leave')} ", key), "leaves without it  ",
                    (f"{key_name(self, 'leaving.stay')} ", key), "stays",
                ),
                classes="keys",
            )  # fmt: skip

    def action_export(self) -> None:
        self.dismiss(EXPORT)

    def action_leave(self) -> None:
        self.dismiss(LEAVE)

    def action_stay(self) -> None:
        self.dismiss(None)
