"""What a conversation tells whoever shows it while a reply comes in."""

from dataclasses import dataclass

from sparkdesk.chat.trace import Stretch
from sparkdesk.engine.round import Round
from sparkdesk.engine.stats import ReplyStats

UNHEARD_SECONDS = 0.7
"""A reply that was stopped so long ago and goes on may be ended by force; pressing a key twice is quicker."""


@dataclass(frozen=True, slots=True)
class ContextTrimmed:
    """The conversation is longer than the context, and its oldest messages are not read this time. Comes first."""

    left_out: int
    """How many messages, from the first on."""


@dataclass(frozen=True, slots=True)
class PrefillAdvanced:
    """The prompt is being read; `total` is 0 where a server does not tell its length."""

    done: int
    total: int
    reused: int
    """Prompt tokens that were still in the KV cache from the turn before."""


@dataclass(frozen=True, slots=True)
class ReplyAdvanced:
    """One round further; `text` holds whole characters and whole markup only and may be empty.

    The texts of all of them add up to the whole reply. What was held back to the very end comes in a last one whose
    round has no tokens.
    """

    text: str
    round: Round
    stats: ReplyStats
    """Figures of the reply up to and including this round."""
    is_speculating: bool
    stretches: tuple[Stretch, ...] = ()
    """Where the characters of `text` came from; their lengths add up to its length."""


@dataclass(frozen=True, slots=True)
class ReplyFinished:
    """The reply is over and kept in the conversation."""

    text: str
    """The whole reply."""
    tokens: tuple[int, ...]
    stop_reason: str
    """"end", "length", "context" or "cancelled"."""
    stats: ReplyStats


@dataclass(frozen=True, slots=True)
class ReplyBroken:
    """The engine failed in mid-reply; what came so far is kept in the conversation and marked."""

    text: str
    cause: str
    hint: str
    needs_reload: bool
    """True when the child process is gone; reloading brings it back with the same conversation."""


ReplyEvent = ContextTrimmed | PrefillAdvanced | ReplyAdvanced | ReplyFinished | ReplyBroken
