"""Pure: how fast replies are by draft length, as they were measured and as costs and acceptance foretell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from sparkdesk.bench.curves import Curves, round_ms
from sparkdesk.bench.results import Reply
from sparkdesk.bench.sweep import Swept


@dataclass(frozen=True, slots=True)
class LengthSpeed:
    """Tokens per second at one draft length."""

    length: int
    """0 is plain decoding."""
    measured: float
    """All its tokens in all their time."""
    expected: float | None
    """From what its passes cost and how often each position was right; None where a cost was never measured."""


@dataclass(frozen=True, slots=True)
class SchedulerSpeed:
    """What the scheduler did when it was left to choose."""

    measured: float
    usual_length: int
    """The median of the drafted tokens it had verified; 0 where it drafted nothing."""
    parked_share: float
    """Of the rounds."""
    expected_gain: float
    """Its own last estimate of speculation's speed as a multiple of plain decoding; 0 when it had none."""


def length_speeds(swept: Iterable[Swept], curves: Curves) -> tuple[LengthSpeed, ...]:
    """Shortest first."""
    by_length: dict[int, list[Reply]] = {}
    for each in swept:
        by_length.setdefault(each.length, []).append(each.reply)
    survival = _survival([reply for replies in by_length.values() for reply in replies])
    return tuple(
        LengthSpeed(length, _speed(by_length[length]), _expected(length, survival, curves))
        for length in sorted(by_length)
    )


def best_of(speeds: Sequence[LengthSpeed]) -> LengthSpeed | None:
    """The fastest that was measured."""
    return max(speeds, key=lambda each: each.measured, default=None)


def scheduler_speed(replies: Sequence[Reply]) -> SchedulerSpeed:
    rounds = [done for reply in replies for done in reply.rounds]
    # A parked pair's drafts are probes, and repeated text is not the draft's.
    lengths = [done.verified for done in rounds if done.source == "draft" and not done.is_parked]
    estimates = [done.expected_gain for done in rounds if done.expected_gain > 0]
    return SchedulerSpeed(
        measured=_speed(replies),
        usual_length=round(median(lengths)) if lengths else 0,
        parked_share=sum(done.is_parked for done in rounds) / len(rounds) if rounds else 0.0,
        expected_gain=estimates[-1] if estimates else 0.0,
    )


def _speed(replies: Sequence[Reply]) -> float:
    decode_ms = sum(reply.stats.decode_ms for reply in replies)
    return 1e3 * sum(reply.stats.decoded for reply in replies) / decode_ms if decode_ms > 0 else 0.0


def _survival(replies: Sequence[Reply]) -> tuple[float, ...]:
    """How often the token at each position of a block became text, over all lengths that reach it."""
    most = max((len(reply.stats.verified_by_position) for reply in replies), default=0)
    shares = []
    for place in range(most):
        verified = sum(sum(reply.stats.verified_by_position[place : place + 1]) for reply in replies)
        accepted = sum(sum(reply.stats.accepted_by_position[place : place + 1]) for reply in replies)
        shares.append(accepted / verified if verified else 0.0)
    return tuple(shares)


def _expected(length: int, survival: Sequence[float], curves: Curves) -> float | None:
    cost_ms = round_ms(curves, length)
    return 1e3 * (1 + sum(survival[:length])) / cost_ms if cost_ms else None
