"""Which conversation the desk has: the last one at first, then a new one or one of the history. Loads no model."""

import threading
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkdesk.chat.settings import ChatSettings
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.errors import HistoryError

if TYPE_CHECKING:
    from sparkdesk.chat.conversation import Conversation
    from sparkdesk.chat.history.pending import AnyHistory
    from sparkdesk.chat.responder import Responder


class BackendConversations:
    """One is open at a time. What is heavy, jinja2 and sqlite3, is imported with the first use."""

    def __init__(self, responder: Callable[[], "Responder"], *, chat: ChatSettings, history_file: Path | None) -> None:
        """`responder` makes one for a conversation; `chat` is what the command line and the settings ask for."""
        self._responder, self._chat, self._file = responder, chat, history_file
        self._open: Conversation | None = None
        self._history: AnyHistory | None = None
        self._trouble = ""
        self._advised_for: ModelInfo | None = None
        self._first_use = threading.RLock()
        """What there is at first is decided once, whoever asks first."""

    @property
    def settings(self) -> ChatSettings:
        """Of the conversation that is open, or would be the first."""
        return self._chat if self._open is None else self._open.settings

    @property
    def speculation(self) -> SpeculationSettings:
        return self.settings.speculation

    @property
    def open(self) -> "Conversation":
        with self._first_use:
            return self._open or self._resume()

    @property
    def history(self) -> "AnyHistory":
        with self._first_use:
            if self._history is None:
                self._history = _history(self._file)
                self._trouble = self._history.notice or self._history.not_kept
            return self._history

    def start(self) -> "Conversation":
        from sparkdesk.chat.conversation import Conversation

        settings = self.settings
        if settings.sampling == SamplingSettings():  # nobody chose anything
            settings = replace(settings, sampling=self.recommended(self._advised_for))
        self._open = Conversation(self._responder(), settings=settings, keeper=self.history)
        return self._open

    def take(self, key: int) -> "Conversation":
        """One of the history, with its settings. Raises HistoryError."""
        from sparkdesk.chat.conversation import Conversation

        kept = self.history.read(key)
        settings = replace(kept.settings, speculation=self.speculation)
        self._open = Conversation(self._responder(), settings=settings, tree=kept.tree, keeper=self.history, key=key)
        return self._open

    def go_on(self) -> None:
        """With what has been loaded now."""
        self.open.attach(self._responder())

    def recommended(self, model: ModelInfo | None) -> SamplingSettings:
        from sparkdesk.chat.recommended import recommended_sampling

        return recommended_sampling(model, is_thinking=self.settings.is_thinking)

    def take_advice(self, model: ModelInfo | None) -> None:
        """Sampling that was as recommended for the model before is now as recommended for this one."""
        from sparkdesk.chat.recommended import follow

        settings = self.open.settings
        sampling = follow(settings.sampling, self.recommended(self._advised_for), self.recommended(model))
        self._advised_for = model
        if sampling != settings.sampling:
            self.open.set_settings(replace(settings, sampling=sampling))

    def take_trouble(self) -> str:
        """What is wrong with the history; told once."""
        trouble, self._trouble = self._trouble, ""
        return trouble

    def rest(self, timeout_seconds: float) -> None:
        """A reply in the making is stopped and kept."""
        if self._open is not None:
            self._open.rest(timeout_seconds)

    def close(self) -> None:
        if self._history is not None:
            self._history.close()

    def _resume(self) -> "Conversation":
        """The one in which something was said last, with what the command line asks for."""
        try:
            for last in self.history.newest(1):
                conversation = self.take(last.key)
                conversation.settings = replace(conversation.settings, **_asked_for(self._chat))
                return conversation
        except HistoryError as error:
            self._trouble = str(error)
        return self.start()


def _history(path: Path | None) -> "AnyHistory":
    if path is None:
        from sparkdesk.chat.history.memory import MemoryHistory

        return MemoryHistory()
    from sparkdesk.chat.history.pending import PendingHistory

    return PendingHistory(path)


def _asked_for(chat: ChatSettings) -> dict[str, Any]:
    """What is not as usual; speculation is the desk's, whatever is talked about."""
    usual = ChatSettings()
    names = [field.name for field in fields(ChatSettings) if field.name != "speculation"]
    return {name: getattr(chat, name) for name in names if getattr(chat, name) != getattr(usual, name)}
