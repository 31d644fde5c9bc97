"""Where the user writes: several lines, history at the edges, Enter sends."""

import unicodedata
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive

from sparkdesk.ui.keys import key_name, keys_of
from sparkdesk.ui.shared.text_editor import TextEditor

# Ctrl+J is what every terminal can send; the others reach us only where the terminal tells them from Enter.
_NEW_LINE_KEYS = "ctrl+j,shift+enter,alt+enter"


@dataclass
class PromptSent(Message):
    """The user sent a prompt."""

    text: str


@dataclass
class Pasted(Message):
    """The user pasted a text at the prompt, or dropped a file there, which terminals write as its path."""

    text: str


@dataclass
class LastChipUnwanted(Message):
    """The user struck backspace at an empty prompt."""


@dataclass
class PageTurned(Message):
    """The user scrolls the conversation from the prompt."""

    pages: int
    """Negative is up."""


@dataclass
class EditLeft(Message):
    """The user does not want to change the message after all."""


class PromptHistory:
    """The prompts sent so far, walked like a shell's history; the half-written prompt is kept as its newest entry."""

    def __init__(self) -> None:
        self._sent: list[str] = []
        self._unsent = ""
        self._position = 0
        """Steps back from the unsent prompt; 0 is the unsent prompt itself."""

    def add(self, text: str) -> None:
        if not self._sent or self._sent[-1] != text:
            self._sent.append(text)
        self._unsent, self._position = "", 0

    def older(self, current: str) -> str | None:
        """The prompt before the one shown; None at the beginning."""
        if self._position >= len(self._sent):
            return None
        if self._position == 0:
            self._unsent = current
        self._position += 1
        return self._sent[-self._position]

    def newer(self) -> str | None:
        """The prompt after the one shown; None at the unsent one."""
        if self._position == 0:
            return None
        self._position -= 1
        return self._sent[-self._position] if self._position else self._unsent


class Prompt(TextEditor):
    """Sends what was written as PromptSent; whoever takes it clears the prompt."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send", show=False, id="prompt.send"),
        Binding(_NEW_LINE_KEYS, "new_line", "New line", show=False, id="prompt.new_line"),
        Binding("up", "older", "Older prompt (on the first line)", show=False, id="prompt.older"),
        Binding("down", "newer", "Newer prompt (on the last line)", show=False, id="prompt.newer"),
        Binding("tab", "example", "Next example (in a new conversation)", show=False, id="prompt.example"),
        Binding("pageup", "scroll_transcript(-1)", "Scroll the conversation up", show=False, id="prompt.page_up"),
        Binding("pagedown", "scroll_transcript(1)", "Scroll the conversation down", show=False, id="prompt.page_down"),
        Binding("escape", "leave_editing", "Leave editing", show=False, id="prompt.leave_editing"),
    ]

    is_editing: reactive[bool] = reactive(False, init=False)
    """An earlier message is being changed."""

    def __init__(self, examples: tuple[str, ...] = ()) -> None:
        super().__init__(compact=True, highlight_cursor_line=False)
        self.examples = examples
        """Prompts that Tab offers; none once a conversation has begun."""
        self._history = PromptHistory()

    def on_mount(self) -> None:
        self.placeholder = self.invitation()

    def invitation(self) -> str:
        """What is there as long as nothing was written."""
        send, new_line = key_name(self, "prompt.send"), key_name(self, "prompt.new_line")
        return f"Write here. {send} sends, {new_line} starts a new line."

    def watch_is_editing(self) -> None:
        self.set_class(self.is_editing, "-editing")
        send, leave = key_name(self, "prompt.send"), key_name(self, "prompt.leave_editing")
        title = f"editing an earlier message · {send} asks again · {leave} leaves it as it was"
        self.border_title = title if self.is_editing else ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.is_editing if action == "leave_editing" else super().check_action(action, parameters)

    def action_leave_editing(self) -> None:
        self.post_message(EditLeft())

    def accept(self, text: str) -> None:
        """A prompt was taken: remember it, and make room if it was the one written here."""
        self._history.add(text)
        if self.text.strip() == text:
            self.clear()

    def show(self, text: str) -> None:
        """Put a prompt there, ready to be changed or sent."""
        self.text = text
        self.move_cursor(self.document.end)

    def _on_paste(self, event: events.Paste) -> None:  # type: ignore[override]  # Textual calls the text area's too
        event.text = _plain(event.text)
        self.post_message(Pasted(event.text))

    def action_delete_left(self) -> None:
        if not self.text:
            self.post_message(LastChipUnwanted())
        super().action_delete_left()

    async def _on_key(self, event: events.Key) -> None:
        """Take these keys in the order they were struck: as bindings they would overtake, or be overtaken by, letters
        that arrive in the same burst (a fast typist, a terminal's replay)."""
        for key_id, action in (
            ("prompt.send", self.action_send),
            ("prompt.new_line", self.action_new_line),
            ("prompt.example", self.action_example),
        ):
            if event.key in keys_of(self, key_id):
                event.stop()
                event.prevent_default()
                action()
                return
        await super()._on_key(event)

    def action_send(self) -> None:
        if self.text.strip():
            self.post_message(PromptSent(self.text.strip()))

    def action_new_line(self) -> None:
        self.replace("\n", *self.selection, maintain_selection_offset=False)

    def action_older(self) -> None:
        older = self._history.older(self.text) if self.navigator.is_first_wrapped_line(self.cursor_location) else None
        if older is None:
            self.action_cursor_up()
        else:
            self.show(older)

    def action_newer(self) -> None:
        newer = self._history.newer() if self.navigator.is_last_wrapped_line(self.cursor_location) else None
        if newer is None:
            self.action_cursor_down()
        else:
            self.show(newer)

    def action_example(self) -> None:
        """Tab walks through the examples as long as nothing else was written."""
        if self.examples and (not self.text or self.text in self.examples):
            position = self.examples.index(self.text) + 1 if self.text else 0
            self.show(self.examples[position % len(self.examples)])
        else:
            self.screen.focus_next()

    def action_scroll_transcript(self, pages: int) -> None:
        self.post_message(PageTurned(pages))


def _plain(pasted: str) -> str:
    """Without the control characters that a copied text may bring, and with the line ends of a document."""
    text = pasted.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(each for each in text if each in "\n\t" or unicodedata.category(each) != "Cc")
