"""What a conversation needs of whoever replies: a pair in the engine's process, or a server somewhere else."""

from collections.abc import Generator, Sequence
from typing import Protocol

from sparkdesk.chat.events import ContextTrimmed, PrefillAdvanced, ReplyAdvanced, ReplyFinished
from sparkdesk.chat.messages import Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.summary import Count
from sparkdesk.engine.settings import SpeculationSettings

PromptEvent = ContextTrimmed | PrefillAdvanced | ReplyAdvanced | ReplyFinished


class Responder(Protocol):
    """Replies to one conversation at a time. Knows of its messages what it is told at each reply, and keeps nothing
    but what makes the next one faster.

    One that has no tokens of its own tells text: rounds with the figures it knows (none is fine), stretches or not.
    """

    @property
    def model_name(self) -> str:
        """Whose replies these are; empty when nobody is there."""
        ...

    @property
    def is_alive(self) -> bool:
        """False when it must be loaded, or reached, again before it can reply."""
        ...

    def answer(
        self, messages: Sequence[Message], settings: ChatSettings, *, begin: int = 0, begun: str = ""
    ) -> Generator[PromptEvent, None, None]:
        """A reply to the last of `messages`, which is the user's; ReplyFinished comes last, with the whole text.

        `begin` messages were left out the last time, and are again; a ContextTrimmed, first of all, says that more
        must be. The reply goes on from `begun` where that is not empty. Raises EngineError, after the text that had
        come; ChatTemplateError before anything. Closing it early ends the reply.
        """
        ...

    def count(self, messages: Sequence[Message], settings: ChatSettings, *, begin: int = 0) -> Count:
        """What answering the last of `messages` would take. Raises EngineError, also where it cannot be told, and
        ChatTemplateError."""
        ...

    def set_speculation(self, settings: SpeculationSettings) -> None:
        """For the reply in progress, from the next round on."""
        ...

    def cancel(self) -> None:
        """End the reply in progress soon; it still ends with ReplyFinished."""
        ...

    def abandon(self) -> None:
        """End it at once, where `cancel` was not heeded, at the price that whoever replies must be loaded again."""
        ...
