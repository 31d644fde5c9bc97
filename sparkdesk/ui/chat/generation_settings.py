"""How replies are made: speculation, thinking, sampling, and the system prompt."""

from dataclasses import dataclass, replace

from textual.message import Message

from sparkdesk.chat.settings import ChatSettings
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.errors import SparkDeskError
from sparkdesk.ui.chat.protocol import ChatBackend
from sparkdesk.ui.chat.view import ChatView
from sparkdesk.ui.chat.widgets.speculation_switch import draft_words

_UNTRAINED = (
    "The released drafts were trained on answers without thoughts: expect shorter accepted lengths in thoughts."
)
_NO_SWITCH = "This model's chat template has no switch for thinking: it may make no difference."


@dataclass
class SettingsChanged(Message):
    """What replies are made with from now on."""

    speculation: SpeculationSettings
    is_thinking: bool
    has_system_prompt: bool
    is_other_length: bool = False
    """The draft's length is chosen in another way than before."""


class GenerationSettings:
    """Of the conversation that is open; speculation is the same for all. Posts SettingsChanged."""

    def __init__(self, view: ChatView, backend: ChatBackend) -> None:
        self._view, self._backend = view, backend
        self._model: ModelInfo | None = None
        """The last that was loaded."""
        self.speculation = backend.speculation

    @property
    def problem(self) -> str:
        """Why the draft that was asked for is not used; empty where it is, or where nothing was loaded yet."""
        return self._model.draft_problem if self._model is not None else ""

    @property
    def can_switch(self) -> bool:
        return self._model is None or not self._model.switch_problem

    @property
    def longest_draft(self) -> int:
        return self._model.block_size if self._model is not None else 0

    def use(self, model: ModelInfo) -> None:
        """It is loaded now."""
        self._model = model

    # Speculation

    def toggle_speculation(self) -> None:
        self.set_speculation(replace(self.speculation, is_enabled=not self.speculation.is_enabled))

    def change_draft(self, step: int) -> None:
        if self._model is not None and self.can_switch and not self.longest_draft:
            self._view.notify("There is no draft: prompt lookup chooses its lengths by itself.", severity="warning")
            return
        length = max(0, min(self.longest_draft, (self.speculation.draft_length or 0) + step))
        self.set_speculation(replace(self.speculation, draft_length=length or None))

    def set_speculation(self, wanted: SpeculationSettings) -> None:
        """Holds from the engine's next round on; nothing is loaded or read again for it."""
        if self._model is not None and self._model.switch_problem:
            self._view.notify(f"Nothing to switch: {self._model.switch_problem}", severity="warning")
            return
        is_other_length = wanted.draft_length != self.speculation.draft_length
        if is_other_length:
            self._view.notify(f"Speculation with {draft_words(wanted.draft_length)}", timeout=2)
        self.speculation = wanted
        self.apply(is_other_length=is_other_length)

    def apply(self, *, is_other_length: bool = False) -> None:
        """To the conversation that is open, which may be another one than before."""
        conversation = self._backend.conversation
        if self._model is not None:
            conversation.set_speculation(self.speculation.is_enabled, self.speculation.draft_length)
        settings = conversation.settings
        told = SettingsChanged(
            self.speculation, settings.is_thinking, bool(settings.system_prompt), is_other_length=is_other_length
        )
        self._view.tell(told)

    # Thinking, sampling and the system prompt

    def toggle_thinking(self) -> None:
        from sparkdesk.chat.recommended import follow

        before, settings = self._backend.recommended, self._backend.conversation.settings
        is_thinking = not settings.is_thinking
        after = self.hold(replace(settings, is_thinking=is_thinking))
        self.hold(replace(settings, is_thinking=is_thinking, sampling=follow(settings.sampling, before, after)))
        words = "Thinking from the next reply on." if is_thinking else "No thinking from the next reply on."
        note = self._thinking_note() if is_thinking else ""
        self._view.notify(f"{words} {note}".strip(), timeout=6 if note else 2)

    def edit(self) -> None:
        """In a dialog."""
        from sparkdesk.chat.recommended import is_advised
        from sparkdesk.ui.chat.dialogs.conversation_settings import ConversationSettingsScreen

        def keep(settings: ChatSettings | None) -> None:
            if settings is not None:
                self.hold(settings)

        settings = self._backend.conversation.settings
        note, advised = self._thinking_note(), is_advised(self._model)
        dialog = ConversationSettingsScreen(settings, self.hold, thinking_note=note, is_advised=advised)
        self._view.app.push_screen(dialog, keep)

    def _thinking_note(self) -> str:
        """What to know before it is switched on."""
        if self._model is None:
            return ""
        if "enable_thinking" not in (self._model.chat_template or ""):
            return _NO_SWITCH
        return _UNTRAINED if self._model.draft_name else ""

    def hold(self, settings: ChatSettings) -> SamplingSettings:
        """From the next reply on; returns what is recommended with them."""
        conversation = self._backend.conversation
        if settings != conversation.settings:  # one that was only looked at is not a changed one
            try:
                conversation.set_settings(settings)
            except SparkDeskError as error:  # they hold, but the history could not keep them
                self._view.notify(str(error), severity="error", timeout=10, markup=False)
        self.apply()
        return self._backend.recommended
