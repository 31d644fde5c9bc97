"""The part of the chat screen that decides how replies are made: speculation, thinking, sampling."""

from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.reactive import reactive

from sparkdesk.chat.settings import ChatSettings
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.errors import SparkDeskError
from sparkdesk.ui import messages
from sparkdesk.ui.chat.composer import ComposingScreen
from sparkdesk.ui.chat.widgets.speculation_switch import draft_words
from sparkdesk.ui.desk import Desk

_UNTRAINED = (
    "The released drafts were trained on answers without thoughts: expect shorter accepted lengths in thoughts."
)
_NO_SWITCH = "This model's chat template has no switch for thinking: it may make no difference."


class ChoosingScreen(ComposingScreen):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+s,f4",
            "toggle_speculation",
            "Speculation",
            id="chat.speculation",
            tooltip="Switch speculation, also in mid-reply",
        ),
        # With priority: the prompt, being a text area, would select a line on F6.
        Binding(
            "f5",
            "change_draft(-1)",
            "Shorter draft",
            id="chat.shorter_draft",
            show=False,
            priority=True,
            tooltip="Draft a token less",
        ),
        Binding(
            "f6",
            "change_draft(1)",
            "Longer draft",
            id="chat.longer_draft",
            show=False,
            priority=True,
            tooltip="Draft a token more",
        ),
        Binding(
            "ctrl+t",
            "toggle_thinking",
            "Thinking",
            id="chat.thinking",
            show=False,
            tooltip="Let the model think before it answers, or not",
        ),
        Binding(
            "f10",
            "conversation_settings",
            "Settings of this conversation",
            id="chat.conversation_settings",
            show=False,
            tooltip="System prompt, sampling and thinking of this conversation",
        ),
    ]

    speculation: reactive[SpeculationSettings] = reactive(SpeculationSettings())
    is_thinking: reactive[bool] = reactive(False)
    has_system_prompt: reactive[bool] = reactive(False)

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.set_reactive(ChoosingScreen.speculation, desk.speculation)

    # Speculation

    @on(messages.SwitchPressed)
    def action_toggle_speculation(self) -> None:
        self.set_speculation(replace(self.speculation, is_enabled=not self.speculation.is_enabled))

    def action_change_draft(self, step: int) -> None:
        longest = self.model.block_size if self.model else 0
        length = max(0, min(longest, (self.speculation.draft_length or 0) + step))
        self.set_speculation(replace(self.speculation, draft_length=length or None))

    def set_speculation(self, wanted: SpeculationSettings) -> None:
        """Holds from the engine's next round on; nothing is loaded or read again for it."""
        problem = self.problem or (self.model.switch_problem if self.model is not None else "")
        if problem:
            self.notify(f"Nothing to switch: {problem}", severity="warning")
            return
        if wanted.draft_length != self.speculation.draft_length:
            self.notify(f"Speculation with {draft_words(wanted.draft_length)}", timeout=2)
            self.meter.forget_choice()
        self.speculation = wanted
        self.tell_speculation()

    def tell_speculation(self) -> None:
        if self.model is not None:
            self.desk.conversation.set_speculation(self.speculation.is_enabled, self.speculation.draft_length)

    # Thinking and sampling

    def action_toggle_thinking(self) -> None:
        from sparkdesk.chat.recommended import follow

        before, settings = self.desk.recommended, self.desk.conversation.settings
        is_thinking = not settings.is_thinking
        after = self._hold(replace(settings, is_thinking=is_thinking))
        self._hold(replace(settings, is_thinking=is_thinking, sampling=follow(settings.sampling, before, after)))
        words = "Thinking from the next reply on." if is_thinking else "No thinking from the next reply on."
        note = self.thinking_note() if is_thinking else ""
        self.notify(f"{words} {note}".strip(), timeout=6 if note else 2)

    def thinking_note(self) -> str:
        """What to know before it is switched on."""
        if self.model is None:
            return ""
        if "enable_thinking" not in (self.model.chat_template or ""):
            return _NO_SWITCH
        return _UNTRAINED if self.model.draft_name else ""

    def action_conversation_settings(self) -> None:
        from sparkdesk.ui.chat.dialogs.conversation_settings import ConversationSettingsScreen

        def keep(settings: ChatSettings | None) -> None:
            if settings is not None:
                self._hold(settings)

        settings = self.desk.conversation.settings
        self.app.push_screen(ConversationSettingsScreen(settings, self._hold, thinking_note=self.thinking_note()), keep)

    def _hold(self, settings: ChatSettings) -> SamplingSettings:
        """From the next reply on; returns what is recommended with them."""
        conversation = self.desk.conversation
        if settings != conversation.settings:  # one that was only looked at is not a changed one
            try:
                conversation.set_settings(settings)
            except SparkDeskError as error:  # they hold, but the history could not keep them
                self.notify(str(error), severity="error", timeout=10)
        self.show_choices()
        self.count_soon()
        return self.desk.recommended

    def show_choices(self) -> None:
        """Of the conversation that is open."""
        settings = self.desk.conversation.settings
        self.is_thinking, self.has_system_prompt = settings.is_thinking, bool(settings.system_prompt)
