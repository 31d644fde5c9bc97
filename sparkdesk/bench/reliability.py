"""How far acceptance probabilities are from what happened: expected calibration error, and the same by position."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sparkdesk.engine.round import Round

BINS = 10


@dataclass(frozen=True, slots=True)
class Forecast:
    """One drafted token whose turn came: those before it were accepted."""

    position: int
    """0 is the first of the block."""
    probability: float
    """Of being accepted, as it was said beforehand."""
    is_accepted: bool


@dataclass(frozen=True, slots=True)
class Reliability:
    """Forecasts held against outcomes."""

    count: int
    mean_probability: float
    accepted_share: float
    error: float
    """Expected calibration error: how far probability and share are apart in ten bins, by the tokens in each."""


def calibrated(rounds: Iterable[Round]) -> Iterator[Forecast]:
    """As the scheduler saw them."""
    for done in rounds:
        yield from _forecasts(done, done.expected)


def as_drafted(rounds: Iterable[Round]) -> Iterator[Forecast]:
    """As the draft's confidence head said them."""
    for done in rounds:
        yield from _forecasts(done, done.confidences)


def reliability(forecasts: Iterable[Forecast]) -> Reliability | None:
    """None without a forecast."""
    found = list(forecasts)
    if not found:
        return None
    bins: list[list[Forecast]] = [[] for _ in range(BINS)]
    for forecast in found:
        bins[min(BINS - 1, int(forecast.probability * BINS))].append(forecast)
    error = sum(len(each) * abs(_probability(each) - _share(each)) for each in bins if each) / len(found)
    return Reliability(len(found), _probability(found), _share(found), error)


def by_position(forecasts: Iterable[Forecast]) -> tuple[Reliability | None, ...]:
    """The same for each position of the block; None where no token's turn came."""
    found = list(forecasts)
    count = 1 + max((forecast.position for forecast in found), default=-1)
    return tuple(reliability(each for each in found if each.position == position) for position in range(count))


def known_outcomes(done: Round) -> Iterator[bool]:
    """Whether each token was accepted, as far as the round tells: nothing is known behind the first refusal.

    Nor behind an end of turn that was drafted itself: the reply ends there, whatever would have followed.
    """
    yield from (True for _ in range(done.accepted))
    is_end_drafted = done.has_end and done.accepted > len(done.tokens)
    if done.accepted < done.verified and not is_end_drafted:
        yield False


def _forecasts(done: Round, probabilities: Sequence[float]) -> Iterator[Forecast]:
    pairs = zip(probabilities, known_outcomes(done), strict=False)
    for position, (probability, is_accepted) in enumerate(pairs):
        yield Forecast(position, probability, is_accepted)


def _probability(forecasts: Sequence[Forecast]) -> float:
    return sum(forecast.probability for forecast in forecasts) / len(forecasts)


def _share(forecasts: Sequence[Forecast]) -> float:
    return sum(forecast.is_accepted for forecast in forecasts) / len(forecasts)
