"""Pure: what passes cost by their size, as the rounds of real replies measured it, and what that makes of drafting."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from sparkdesk.bench.spread import NOTHING, Spread, spread_of
from sparkdesk.engine.round import Round
from sparkdesk.engine.scheduling.scheduler import Prices, best_fixed_length

ACCEPTANCES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class Curves:
    """Milliseconds, each a spread over rounds."""

    verify: dict[int, Spread] = field(default_factory=dict)
    """T(rows): the target's pass over the anchor and rows - 1 drafted tokens; 1 is plain decoding."""
    draft: dict[int, Spread] = field(default_factory=dict)
    """D(k): the draft's pass over k tokens."""
    absorb: Spread = NOTHING
    """Of a round's committed rows; a reply's first, which takes in the whole prompt, is left out."""
    prompt_absorb: Spread = NOTHING
    """Of that first round."""
    plain_other: Spread = NOTHING
    """Ours in a plain round."""
    other: Spread = NOTHING
    """Ours in a drafting round."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The draft length that pays most where every token is accepted with the same probability."""

    acceptance: float
    length: int
    """0: plain decoding is fastest."""
    gain: float
    """Speed as a multiple of plain decoding; 1 at length 0."""


def curves_of(replies: Iterable[Sequence[Round]]) -> Curves:
    """From the rounds of replies, each reply's in order."""
    played = [list(rounds) for rounds in replies]
    rounds = [done for reply in played for done in reply]
    # Wherever the draft ran, even if its tokens were not the ones to be verified.
    drafting = [[done for done in reply if done.drafted] for reply in played]
    drafts = [done for reply in drafting for done in reply]
    return Curves(
        verify=_grouped(rounds, by=lambda done: done.verified + 1, cost=lambda done: done.verify_ms),
        draft=_grouped(drafts, by=lambda done: done.drafted, cost=lambda done: done.draft_ms),
        absorb=spread_of(done.absorb_ms for reply in drafting for done in reply[1:]),
        prompt_absorb=spread_of(done.absorb_ms for reply in drafting for done in reply[:1]),
        plain_other=spread_of(done.other_ms for done in rounds if not done.drafted and not done.verified),
        other=spread_of(done.other_ms for done in drafts),
    )


def choices(curves: Curves, acceptances: Iterable[float] = ACCEPTANCES) -> tuple[Choice, ...]:
    """The scheduler's best length for each acceptance; nothing where plain decoding was not measured."""
    if 1 not in curves.verify:
        return ()
    prices, most = _prices(curves)
    found = ((acceptance, best_fixed_length(acceptance, prices, most)) for acceptance in acceptances)
    return tuple(Choice(acceptance, length, gain) for acceptance, (length, gain) in found)


def round_ms(curves: Curves, length: int) -> float | None:
    """The cost of a round that drafts and verifies `length` tokens; None where a part of it was never measured."""
    if length + 1 not in curves.verify:
        return None
    verify_ms = curves.verify[length + 1].median
    if length == 0:
        return verify_ms + curves.plain_other.median
    if length not in curves.draft:
        return None
    return verify_ms + curves.draft[length].median + curves.absorb.median + curves.other.median


def _prices(curves: Curves) -> tuple[Prices, int]:
    """With our own time as a part of each pass, and the longest length up to which all was measured."""
    most = 0
    while most + 2 in curves.verify and most + 1 in curves.draft:
        most += 1
    ours_ms = [curves.plain_other.median, *[curves.other.median] * most]
    verify_ms = np.array([curves.verify[row].median + ours for row, ours in enumerate(ours_ms, start=1)])
    draft_ms = np.array([curves.draft[length].median for length in range(1, most + 1)])
    plain_ms = float(verify_ms[0])
    return Prices(verify_ms, draft_ms, curves.absorb.median, 1 / plain_ms, plain_ms), most


def _grouped(
    rounds: Iterable[Round], *, by: Callable[[Round], int], cost: Callable[[Round], float]
) -> dict[int, Spread]:
    groups: dict[int, list[float]] = {}
    for done in rounds:
        groups.setdefault(by(done), []).append(cost(done))
    return {size: spread_of(groups[size]) for size in sorted(groups)}
