"""Which conversation is open: a new one at first, or the last one where that is asked for. Loads no model."""

import threading
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkdesk.chat.settings import ChatSettings
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.errors import HistoryError

_LOOKED_THROUGH = 200
"""So many of the newest are looked through for the last one that was held here."""

if TYPE_CHECKING:
    from sparkdesk.chat.conversation import Conversation
    from sparkdesk.chat.history.pending import AnyHistory
    from sparkdesk.chat.responder import Responder


class BackendConversations:
    """One is open at a time. What is heavy, jinja2 and sqlite3, is imported with the first use."""

    def __init__(
        self,
        responder: Callable[[], "Responder"],
        *,
        chat: ChatSettings,
        history_file: Path | None,
        continues: bool = False,
    ) -> None:
        """`responder` makes one for a conversation; `chat` is what the command line and the settings ask for, and with
        which server. Where `continues`, the first conversation is the last one held there."""
        self._continues = continues
        self._warned: set[int] = set()
        """Held elsewhere: the user was told, and may open them here."""
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
            return self._open or self._first()

    @property
    def history(self) -> "AnyHistory":
        with self._first_use:
            if self._history is None:
                self._history = _history(self._file)
                self._trouble = self._history.notice or self._history.not_kept
            return self._history

    def start(self) -> "Conversation":
        from sparkdesk.chat.conversation import Conversation

        # As the command line and the settings say, whatever was chosen for the conversation before.
        settings = replace(self._chat, speculation=self.speculation)
        if settings.sampling == SamplingSettings():  # nobody chose anything
            sampling = _recommended(self._advised_for, is_thinking=settings.is_thinking)
            settings = replace(settings, sampling=sampling)
        self._open = Conversation(self._responder(), settings=settings, store=self.history)
        return self._open

    def take(self, key: int) -> "Conversation":
        """One of the history, with its settings. Raises HistoryError, at first also for one that was held elsewhere:
        with the next message all of it would go to the model here."""
        from sparkdesk.chat.conversation import Conversation

        kept = self.history.read(key)
        if kept.settings.server != self._chat.server and key not in self._warned:
            self._warned.add(key)
            raise HistoryError(*_held_elsewhere(kept.settings.server, self._chat.server))
        settings = replace(kept.settings, speculation=self.speculation, server=self._chat.server)
        self._open = Conversation(self._responder(), settings=settings, tree=kept.tree, store=self.history, key=key)
        return self._open

    def go_on(self) -> None:
        """With what has been loaded now."""
        self.open.attach(self._responder())

    def recommended(self, model: ModelInfo | None) -> SamplingSettings:
        return _recommended(model, is_thinking=self.settings.is_thinking)

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

    def _first(self) -> "Conversation":
        try:
            if self._continues and (key := self._last_held_here()) is not None:
                conversation = self.take(key)
                conversation.settings = replace(conversation.settings, **_asked_for(self._chat))
                return conversation
        except HistoryError as error:
            self._trouble = str(error)
        return self.start()

    def _last_held_here(self) -> int | None:
        """The one in which something was said last; one with another server, or with none, is not meant."""
        for summary in self.history.newest(_LOOKED_THROUGH):
            if self.history.read(summary.key).settings.server == self._chat.server:
                return summary.key
        self._trouble = "There is no earlier conversation to continue here; this is a new one."
        return None


def _held_elsewhere(server: str, here: str) -> tuple[str, str]:
    """What happened, and what to try."""
    held, reads = server or "a model on this machine", here or "the model on this machine"
    return (
        f"This conversation was held with {held}; continued here, all of it goes to {reads}.",
        "Open it once more to continue it here.",
    )


def _recommended(model: ModelInfo | None, *, is_thinking: bool) -> SamplingSettings:
    from sparkdesk.chat.recommended import recommended_sampling

    return recommended_sampling(model, is_thinking=is_thinking)


def _history(path: Path | None) -> "AnyHistory":
    if path is None:
        from sparkdesk.chat.history.memory import MemoryHistory

        return MemoryHistory()
    from sparkdesk.chat.history.pending import PendingHistory

    return PendingHistory(path)


def _asked_for(chat: ChatSettings) -> dict[str, Any]:
    """What is not as usual; speculation and server are of where one talks, not of what about."""
    usual = ChatSettings()
    names = [field.name for field in fields(ChatSettings) if field.name not in ("speculation", "server")]
    return {name: getattr(chat, name) for name in names if getattr(chat, name) != getattr(usual, name)}
