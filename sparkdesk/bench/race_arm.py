"""Pure: one arm of a race round by round, and what of it can be seen at a moment of its own time."""

import codecs
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sparkdesk.bench.results import Reply
from sparkdesk.runner.protocol import RoundDone

_LIVE_MS = 500.0
_LIVE_SHARE = 1 / 8


@dataclass(frozen=True, slots=True)
class Piece:
    """The text of one token: whole characters, so that it may be empty and the next one longer."""

    text: str
    is_drafted: bool


@dataclass(frozen=True, slots=True)
class Step:
    """What one round brought."""

    at_ms: float
    """When the round was over, since the prompt was sent."""
    pieces: tuple[Piece, ...]
    total_tokens: int
    """Of the reply up to and with this round, the end-of-turn token among them."""


@dataclass(frozen=True, slots=True)
class RaceArm:
    """One arm: its reply, and when each part of it was there.

    Times are the engine's own, which leaves out what drawing and pipes take; speeds and times then say the same.
    """

    reply: Reply
    steps: tuple[Step, ...]

    @property
    def finish_ms(self) -> float:
        """From the prompt to the last token, the prefill included."""
        return self.steps[-1].at_ms if self.steps else self.reply.stats.prefill_ms

    @property
    def total_tokens(self) -> int:
        return self.steps[-1].total_tokens if self.steps else 0

    @property
    def text(self) -> str:
        return "".join(piece.text for step in self.steps for piece in step.pieces)

    @property
    def ms_per_token(self) -> float:
        return self.finish_ms / self.total_tokens if self.total_tokens else 0.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A lane at one moment."""

    steps: int
    """How many of its steps are over."""
    tokens: int
    tokens_per_second: float
    """Of the last stretch; of the whole reply once it is over."""
    share: float
    """Of all tokens, 0..1."""
    is_finished: bool


def arm_of(reply: Reply, rounds: Iterable[RoundDone]) -> RaceArm:
    """`rounds` are those of the reply, the first token's too."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    done = list(rounds)
    steps: list[Step] = []
    at_ms, tokens = reply.stats.prefill_ms, 0
    for number, each in enumerate(done):
        at_ms += each.round.elapsed_ms
        tokens += len(each.round.tokens) + each.round.has_end
        pieces = tuple(_pieces(each, decoder))
        if number == len(done) - 1:
            rest = decoder.decode(b"", final=True)
            pieces += (Piece(rest, is_drafted=False),) if rest else ()
        steps.append(Step(at_ms, pieces, tokens))
    return RaceArm(reply, tuple(steps))


def seen_at(arm: RaceArm, at_ms: float) -> Seen:
    """What was there `at_ms` after the prompt was sent."""
    count = bisect_right(arm.steps, at_ms, key=lambda step: step.at_ms)
    is_finished = count == len(arm.steps)
    tokens = arm.steps[count - 1].total_tokens if count else 0
    speed = arm.reply.stats.tokens_per_second if is_finished else _live_speed(arm, at_ms, tokens)
    share = tokens / arm.total_tokens if arm.total_tokens else 1.0
    return Seen(count, tokens, speed, share, is_finished)


def _live_speed(arm: RaceArm, at_ms: float, tokens: int) -> float:
    """Over half a second, or more where tokens come slowly; the first token is the prefill's and counts for none."""
    if not arm.steps or tokens <= arm.steps[0].total_tokens:
        return 0.0
    began_ms = max(arm.steps[0].at_ms, at_ms - max(_LIVE_MS, _LIVE_SHARE * arm.finish_ms))
    before = bisect_right(arm.steps, began_ms, key=lambda step: step.at_ms)
    gained = tokens - arm.steps[max(0, before - 1)].total_tokens
    return 1e3 * gained / (at_ms - began_ms) if at_ms > began_ms else 0.0


def _pieces(done: RoundDone, decoder: codecs.IncrementalDecoder) -> Iterator[Piece]:
    for data, is_drafted in zip(done.pieces, done.round.is_drafted, strict=False):
        yield Piece(decoder.decode(data), is_drafted)
