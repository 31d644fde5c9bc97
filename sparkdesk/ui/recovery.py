"""What stands on the screen after an error no one expected: what happened, what is kept, and the ways on."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from textual.app import App, ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from sparkdesk.local_path import home_folder
from sparkdesk.safe_text import safe_text
from sparkdesk.ui import themes
from sparkdesk.ui.failure import Draft, Failure
from sparkdesk.ui.shared import numbers
from sparkdesk.ui.shared.key_bar import KeyBar

_KEYS = (
    ("enter", "go_on", "Continue"),
    ("n", "new_chat", "Continue in a new chat"),
    ("l", "log", "Log"),
    ("c", "copy_draft", "Copy draft"),
    ("q", "leave", "Quit"),
    ("ctrl+q,ctrl+c,escape", "leave", ""),
)
"""Not for the settings file to change: here they have to work."""


class Way(Enum):
    """What the user chose."""

    GO_ON = "go on"
    NEW_CHAT = "new chat"
    LEAVE = "leave"


class RecoveryApp(App[Way]):
    """An application of its own: of the one that failed, no part can be trusted."""

    CSS = """
    Screen { align: center middle; }
    Vertical { width: 76; max-width: 100%; height: auto; max-height: 1fr; padding: 1 2; border: round $error; }
    .title { text-style: bold; margin-bottom: 1; }
    Static { height: auto; }
    KeyBar { dock: bottom; height: 1; padding: 0 1; }
    #log { display: none; height: 1fr; padding: 1 2; }
    .-log #log { display: block; }
    .-log Vertical { display: none; }
    """

    def __init__(self, failure: Failure, *, log: Path | None, report: str, is_repeated: bool = False) -> None:
        """`report` is the session's log; `log` the file with the stack, None where it could not be written."""
        super().__init__()
        self._failure, self._log_file, self._report, self._is_repeated = failure, log, report, is_repeated
        for keys, action, words in _KEYS:
            self.bind(keys, action, description=words, show=words != "")
        for theme in (themes.DARK, themes.LIGHT):
            self.register_theme(theme)
        self.theme = themes.DARK.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.FOREIGN

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static("SparkDesk ran into an unexpected error", classes="title")
            yield Static(Content(safe_text("\n\n".join(self._sentences()))))
        with VerticalScroll(id="log"):
            yield Static(Content(safe_text(self._report)))
        yield KeyBar()

    def _sentences(self) -> Iterator[str]:
        yield f"{self._failure.place}. This is a bug in SparkDesk, not something you did wrong."
        yield f"Your conversation is kept. {draft_sentence(self._failure.draft)}".strip()
        if self._log_file is not None:
            log = str(self._log_file).replace(f"{home_folder()}/", "~/", 1)
            yield f"Where it happened is recorded in {log}, without any text of yours. Please report it."
        if self._is_repeated:
            yield "It has happened again. If it keeps happening, continue in a new chat: N."

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "copy_draft" or not self._failure.draft.is_empty

    def action_go_on(self) -> None:
        self.exit(Way.GO_ON)

    def action_new_chat(self) -> None:
        self.exit(Way.NEW_CHAT)

    def action_leave(self) -> None:
        self.exit(Way.LEAVE)

    def action_log(self) -> None:
        self.screen.toggle_class("-log")
        self.query_one("#log").focus()

    def action_copy_draft(self) -> None:
        self.copy_to_clipboard(self._failure.draft.text)
        self.notify("Copied the draft.", timeout=2)


def draft_sentence(draft: Draft) -> str:
    """Empty where there is none."""
    if draft.is_empty:
        return ""
    lines = len(draft.text.splitlines())
    parts = [numbers.count(lines, "line")] if lines else []
    parts += [numbers.count(len(draft.attachments), "attached file")] if draft.attachments else []
    return f"Your unsent draft ({', '.join(parts)}) comes back when you continue."
