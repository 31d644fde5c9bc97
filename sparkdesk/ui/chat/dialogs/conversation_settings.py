"""How the model is spoken to in this conversation and how it answers: system prompt, thinking, sampling."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Checkbox, Static

from sparkdesk.chat.recommended import follow
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.engine.settings import SamplingSettings
from sparkdesk.ui.chat.widgets.sampling_row import SamplingRow
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.settings.fields import FIELDS
from sparkdesk.ui.shared.text_editor import TextEditor

_LEAD = "Everything here holds from the next reply on."
_KEYS = (("back", "default"), ("all_back", "all defaults"), ("close", "closes"))
_NO_SYSTEM_PROMPT = "No system prompt"
_PURPOSES = {
    "system_prompt": "The system prompt: what the model is told before everything else.",
    "thinking": "Space switches it. The model writes down its thoughts first, which are folded away.",
}


class ThinkingBox(Checkbox):
    """Tells on from off without colours too."""

    BUTTON_INNER = " "

    def __init__(self, is_thinking: bool) -> None:
        super().__init__("think before answering", is_thinking, compact=True, id="thinking")
        self._show_mark(is_thinking)

    def watch_value(self) -> None:
        self._show_mark(self.value)
        super().watch_value()

    def _show_mark(self, is_thinking: bool) -> None:
        self.BUTTON_INNER = "✓" if is_thinking else " "


class ConversationSettingsScreen(ModalScreen[ChatSettings]):
    """Returns the settings; a value that makes no sense is left as it was, and the user is told."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f10", "close", "Close", show=False, id="conversation_settings.close"),
        Binding("ctrl+l", "all_back", "All defaults", show=False, id="conversation_settings.all_back"),
        Binding("down", "move(1)", "Next", show=False, id="conversation_settings.next"),
        Binding("up", "move(-1)", "Previous", show=False, id="conversation_settings.previous"),
    ]

    def __init__(
        self,
        settings: ChatSettings,
        hold: Callable[[ChatSettings], SamplingSettings],
        *,
        thinking_note: str,
        is_advised: bool,
    ) -> None:
        """`hold` lets settings hold and returns what is recommended with them, or our defaults where nothing
        `is_advised`; `thinking_note` is what to know before thinking is switched on."""
        super().__init__()
        self._settings = settings
        self._hold = hold
        self._recommended = hold(settings)
        self._thinking_note, self._is_advised = thinking_note, is_advised

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", can_focus=False):
            yield Static(Content.assemble(("This conversation  ", "bold"), (_LEAD, "$spark-quiet")), classes="title")
            yield TextEditor(
                self._settings.system_prompt,
                compact=True,
                highlight_cursor_line=False,
                placeholder=_NO_SYSTEM_PROMPT,
                id="system_prompt",
            )
            yield ThinkingBox(self._settings.is_thinking)
            yield Static(self._thinking_note, classes="note")
            for field in FIELDS:
                value, default = field.read(self._settings), field.default(self._recommended)
                yield SamplingRow(field, value, default, is_advised=self._is_advised)
            yield Static(classes="purpose")
            yield Static(Content.assemble(*self._keys()), classes="keys")

    def _keys(self) -> Iterator[str | tuple[str, str]]:
        yield from (("↑↓ ", "bold $primary"), "move  ")
        for action, what in _KEYS:
            yield from ((f"{key_name(self, f'conversation_settings.{action}')} ", "bold $primary"), f"{what}  ")

    def on_mount(self) -> None:
        self._show_note()
        self.query_one(TextEditor).focus()

    def _show_note(self) -> None:
        self.query_one(".note").display = bool(self._thinking_note) and self.query_one(ThinkingBox).value

    @on(ThinkingBox.Changed)
    def switch_thinking(self, event: ThinkingBox.Changed) -> None:
        """The makers recommend other values for it: those that were as recommended go with it."""
        self._show_note()
        before = self._recommended
        self._settings = replace(self.written, is_thinking=event.value)
        self._recommended = self._hold(self._settings)
        self._settings = replace(self._settings, sampling=follow(self._settings.sampling, before, self._recommended))
        for row in self.query(SamplingRow):
            if not row.trouble:
                row.offer(row.field.read(self._settings), row.field.default(self._recommended))

    @on(SamplingRow.Changed)
    def judge(self, message: SamplingRow.Changed) -> None:
        if message.row.has_focus_within:
            self._say_of(message.row)

    @on(events.DescendantFocus)
    def explain(self, event: events.DescendantFocus) -> None:
        row = event.widget.parent
        if isinstance(row, SamplingRow):
            self._say_of(row)
        else:
            self.query_one(".purpose", Static).update(_PURPOSES.get(event.widget.id or "", ""))

    def _say_of(self, row: SamplingRow) -> None:
        words = Content.styled(row.trouble, "$error") if row.trouble else Content(row.field.purpose)
        self.query_one(".purpose", Static).update(words)

    @property
    def written(self) -> ChatSettings:
        """As they are on the screen."""
        system_prompt = self.query_one(TextEditor).text.strip()
        settings = replace(self._settings, system_prompt=system_prompt, is_thinking=self.query_one(ThinkingBox).value)
        for row in self.query(SamplingRow):
            settings = row.field.put(settings, row.value)
        return settings

    def action_move(self, step: int) -> None:
        if isinstance(self.focused, TextEditor):
            return
        if step > 0:
            self.focus_next()
        else:
            self.focus_previous()

    def action_all_back(self) -> None:
        for row in self.query(SamplingRow):
            if row.field.is_recommended:
                row.action_go_back()

    def action_close(self) -> None:
        for row in self.query(SamplingRow):
            if row.trouble:
                self.notify(f"{row.field.label} stays {row.field.show(row.value)}. {row.trouble}", severity="warning")
        self.dismiss(self.written)
