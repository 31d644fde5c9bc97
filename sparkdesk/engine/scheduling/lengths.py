"""Who decides how many tokens to draft and to verify: the seam between the loop and the scheduler."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # the screen tells tokens by their source, and must not wait for numpy
    from sparkdesk.engine.scheduling.prompt_lookup import PromptLookup

DRAFT, CONTEXT, PLAIN = "draft", "context", ""

GREEDY, SAMPLED, EXACT = "greedy", "sampled", "exact"
"""Acceptance rules, each with chances of its own; the last one is sampled text with a greedy draft."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known before anything is drafted."""

    rule: str
    most: int
    """Most tokens that may be drafted."""
    context_tokens: int
    """Tokens in the target's cache."""
    waiting: int = 0
    """Feature rows to absorb before drafting."""
    lookup: "PromptLookup | None" = None
    """Tokens of the context that may be verified in the place of drafted ones."""
    is_sequential: bool = False
    """Whether the draft takes a pass for every token, and all it drafts has to be verified."""
    reply_tokens: int | None = None
    """Tokens that the reply has so far; None where nobody counts them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do before the target's pass."""

    length: int = 0
    """Tokens to draft; 0 drafts nothing."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What to put before the target, once it is known what there is."""

    source: str = PLAIN
    length: int = 0
    chances: tuple[float, ...] = ()
    """(length,) chance of each token to be accepted, given that those before it are; empty when nobody said."""

    def cut(self, length: int) -> "Choice":
        """The same with at most `length` tokens."""
        if length >= self.length:
            return self
        return Choice(self.source, length, self.chances[:length]) if length else Choice()


class LengthChooser(Protocol):
    """Decides from what was known before the tokens in question were drawn (DSpark paper, section 3.2.2)."""

    def plan(self, situation: Situation) -> Plan: ...

    def choose(self, situation: Situation, drafted: int, confidences: Sequence[float]) -> Choice:
        """After drafting `drafted` tokens, perhaps none; `confidences` is empty where the draft has no such head."""
        ...

    def goes_on(self, situation: Situation, confidences: Sequence[float]) -> bool:
        """Between two steps of a sequential draft: whether one more is worth it, after tokens of these confidences."""
        ...


class FixedLength:
    """Always the same number of tokens, all of them verified."""

    def __init__(self, length: int) -> None:
        self.length = length

    def plan(self, situation: Situation) -> Plan:
        return Plan(max(0, min(self.length, situation.most)))

    def choose(self, situation: Situation, drafted: int, confidences: Sequence[float]) -> Choice:
        return Choice(DRAFT, drafted) if drafted else Choice()

    def goes_on(self, situation: Situation, confidences: Sequence[float]) -> bool:
        return True
