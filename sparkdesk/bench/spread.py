"""Where the middle of some measurements lies, and how far they are apart."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """Five numbers of a set of measurements, in their own unit; all 0 where there are none."""

    count: int = 0
    least: float = 0.0
    lower: float = 0.0
    """A quarter of them are below."""
    median: float = 0.0
    upper: float = 0.0
    """A quarter of them are above."""
    most: float = 0.0


NOTHING = Spread()


def spread_of(values: Iterable[float]) -> Spread:
    found = sorted(values)
    if not found:
        return NOTHING
    lower, median, upper = (quantile(found, share) for share in (0.25, 0.5, 0.75))
    return Spread(len(found), found[0], lower, median, upper, found[-1])


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value with this share of the others below it, between two neighbours where it falls between them.

    `ordered` is sorted and not empty.
    """
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
