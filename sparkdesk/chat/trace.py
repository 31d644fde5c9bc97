"""Where every character of a reply came from, and what its rounds were worth: to be shown on demand."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

DRAFTED, REPEATED, BONUS, PLAIN = "draft", "context", "bonus", "plain"
"""Drafted and accepted; repeated from the context and accepted; the target's own in a round that verified something;
the target's own in a plain round."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive characters of a reply that one token brought."""

    length: int
    """In characters of the reply's text. A token that brought no whole character has no stretch of its own."""
    source: str
    """One of the four above."""
    position: int = 0
    """Its place in the block, from 1; 0 for what the target said itself."""
    confidence: float | None = None
    """What the draft gave for it, 0..1, given that those before it survive."""


@dataclass(frozen=True, slots=True)
class RoundMark:
    """One round of a reply, as far as pictures of it need."""

    tokens: int
    verified: int = 0
    accepted: int = 0
    source: str = ""
    """Of what was verified: "draft", "context", or "" in a plain round."""
    is_speculating: bool = False
    """Whether speculation was switched on."""
    is_parked: bool = False
    elapsed_ms: float = 0.0
    """0 for the first token, which comes with the prefill."""


Parts = tuple[tuple[Stretch, ...], tuple[RoundMark, ...]]


class Trace:
    """Of one reply. The stretches' lengths add up to the length of its text.

    One that was kept is unpacked when somebody looks at it: a long conversation is opened without.
    """

    __slots__ = ("_kept", "_rounds", "_stretches")

    def __init__(self, stretches: Iterable[Stretch] = (), rounds: Iterable[RoundMark] = ()) -> None:
        self._stretches, self._rounds = tuple(stretches), tuple(rounds)
        self._kept: Callable[[], Parts] | None = None

    @classmethod
    def kept(cls, unpack: Callable[[], Parts]) -> "Trace":
        """`unpack` is called once, at the first look."""
        trace = cls()
        trace._kept = unpack
        return trace

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        self._unpack()
        return self._stretches

    @property
    def rounds(self) -> tuple[RoundMark, ...]:
        self._unpack()
        return self._rounds

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Trace):
            return NotImplemented
        return (self.stretches, self.rounds) == (other.stretches, other.rounds)

    def __hash__(self) -> int:
        return hash((self.stretches, self.rounds))

    def __repr__(self) -> str:
        return f"Trace({self.stretches!r}, {self.rounds!r})"

    def _unpack(self) -> None:
        if self._kept is not None:
            unpack, self._kept = self._kept, None
            self._stretches, self._rounds = unpack()
