"""What the engine's scheduler does with draft lengths, held still enough to be read. Pure; knows rounds and time."""

from dataclasses import dataclass
from math import exp

from sparkdesk.engine.round import Round

_SETTLE_MS = 700.0
_MOST_WEIGHT = 0.25
"""Of one round, however long it took."""
_LEEWAY = 0.65
_PARKED_FROM, _PARKED_UNTIL = 0.6, 0.4
_LEAST_COST_PERCENT = 1.0


@dataclass(frozen=True, slots=True)
class DraftChoice:
    """What the scheduler typically chooses now."""

    length: int = 0
    """Drafted tokens that a round verifies; 0 when it is not known."""
    is_parked: bool = False
    cost_percent: int = 0
    """What drafting would cost here, against plain decoding; 0 when that is not known or next to nothing."""
    expected_gain: float = 0.0
    """Speed expected of what is chosen, as a multiple of plain decoding, to a tenth; 0 when that is not known."""


NO_CHOICE = DraftChoice()


class ChoiceWatch:
    """Follows the rounds of one reply."""

    def __init__(self) -> None:
        self._length, self._cost_percent, self._gain_tenths = _Held(), _Held(), _Held()
        self._parked_share = _Mean()
        self._is_parked = False

    @property
    def choice(self) -> DraftChoice:
        if self._is_parked:
            return DraftChoice(is_parked=True, cost_percent=self._cost_percent.shown)
        return DraftChoice(self._length.shown, expected_gain=self._gain_tenths.shown / 10)

    def add(self, done: Round) -> None:
        self._parked_share.add(float(done.is_parked), done.elapsed_ms)
        self._is_parked = self._parked_share.value > (_PARKED_UNTIL if self._is_parked else _PARKED_FROM)
        if done.is_parked and done.expected_gain > 0:
            cost_percent = 100 * (1 / done.expected_gain - 1)
            self._cost_percent.add(cost_percent if cost_percent >= _LEAST_COST_PERCENT else 0.0, done.elapsed_ms)
        if done.source == "draft" and not done.is_parked:  # a parked pair's drafts are probes
            self._length.add(done.verified, done.elapsed_ms)
            if done.expected_gain > 0:
                self._gain_tenths.add(10 * done.expected_gain, done.elapsed_ms)
            else:  # a length of the user's own: what was expected of another says nothing about it
                self._gain_tenths = _Held()


class _Mean:
    """A mean over the last stretch of time, or the last few values where they come slowly."""

    def __init__(self) -> None:
        self.value = 0.0
        self._has_any = False

    def add(self, value: float, elapsed_ms: float) -> None:
        weight = min(_MOST_WEIGHT, 1 - exp(-elapsed_ms / _SETTLE_MS)) if self._has_any else 1.0
        self.value += weight * (value - self.value)
        self._has_any = True


class _Held:
    """A whole number near a mean, which changes only when the mean has clearly left it."""

    def __init__(self) -> None:
        self.shown = 0
        self._mean = _Mean()

    def add(self, value: float, elapsed_ms: float) -> None:
        self._mean.add(value, elapsed_ms)
        if abs(self._mean.value - self.shown) > _LEEWAY:
            self.shown = round(self._mean.value)
