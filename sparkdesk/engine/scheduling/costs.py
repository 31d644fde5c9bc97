"""What every kind of step costs on this machine, as the loop itself measures it: T(rows), D(length), A(rows).

A Kalman filter over logarithms. One number is the pace, the cost of a plain step now: it drifts with whatever else the
machine does, and every step of any kind tells something about it. The others are the ratios of each step size to the
plain step, which hardly drift. So a size that was not used for long keeps its place when the machine slows down, and no
size is assumed to cost more than a smaller one: kernels work in groups of rows, and T(4) may well be below T(3).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatVector = NDArray[np.float64]

MOST_ROWS = 16
"""Largest verify pass whose cost is kept: the anchor and 15 more."""
ABSORB_ROWS = 8
"""Absorbing more rows than this is taken to cost in proportion."""

_PACE, _TARGET_SLOPE, _DRAFT_SLOPE, _FIRST_RATIO = range(4)
_PACE_DRIFT, _RATIO_DRIFT = 0.03, 0.002  # standard deviation a step, in nats
_UNKNOWN_PACE = 3.0
_SLOPE_SPREAD = 1e-4  # per token of context: at 4,096 tokens a step may well cost half as much again
_OUTLIER = 3.0
_LEAST_NOISE, _MOST_NOISE = 0.03, 0.5
_NOISE_MEMORY = 0.03
_STALL_MEMORY = 0.02
_LARGEST_STALL = 8.0
_PROBE_NOISE = 0.1
_DRIFT_EVERY = 8
_WELL_KNOWN, _LOOK_EVERY = 12, 4
_CHANGE_MEMORY = 0.1
_LEAST_STEADY = 0.3
_REMEMBERED_DOUBT = 0.05


@dataclass(frozen=True, slots=True)
class Seen:
    """A typical cost in milliseconds, and from how many steps it is known."""

    ms: float
    times: int = 1


class StepCosts:
    """Costs in milliseconds by step size and context length; certain of nothing until told."""

    def __init__(self, block_size: int) -> None:
        self.block_size = block_size
        self._target = _FIRST_RATIO  # ratios of 2..MOST_ROWS rows
        self._draft = self._target + MOST_ROWS - 1  # of 1..block_size positions
        self._absorb = self._draft + block_size  # of 1..ABSORB_ROWS rows
        size = self._absorb + ABSORB_ROWS
        self._mean = np.zeros(size)
        self._covariance = np.zeros((size, size))
        self._set_prior()
        self._drift = np.full(size, _DRIFT_EVERY * _RATIO_DRIFT**2)
        self._drift[_PACE], self._drift[_TARGET_SLOPE:_FIRST_RATIO] = _DRIFT_EVERY * _PACE_DRIFT**2, 0.0
        self._steps = self._turn = 0
        self._change = 0.0  # in plain steps
        self._most = self._covariance.diagonal().copy()
        self._noise = 0.1**2
        self._stall = 1.0
        self._counts = np.zeros(size, np.int64)
        self.is_remembered = False

    def plain_ms(self, context_tokens: int) -> float:
        """Mean cost of a plain step now; 0 when nothing was measured.

        A mean, stalls included, because it is held against sums of rounds, which have their stalls in them.
        """
        if not self._counts.any():
            return 0.0
        return float(np.exp(self._mean[_PACE]) * self._growth(_TARGET_SLOPE, context_tokens) * self._stall)

    @property
    def change_ms(self) -> float:
        """What a verify pass costs more when the one before it had another number of rows."""
        return self._change * float(np.exp(self._mean[_PACE]))

    def target_ms(self, context_tokens: int) -> FloatVector:
        """(MOST_ROWS,) cost of a verify pass of 1, 2, ... rows, as many as the one before it had."""
        ratios = np.empty(MOST_ROWS)
        ratios[0], ratios[1:] = 0.0, self._mean[self._target : self._draft]
        costs_ms: FloatVector = np.exp(ratios + self._mean[_PACE]) * self._growth(_TARGET_SLOPE, context_tokens)
        return costs_ms

    def draft_ms(self, context_tokens: int) -> FloatVector:
        """(block_size,) cost of proposing 1, 2, ... tokens."""
        ratios = self._mean[self._draft : self._absorb]
        costs_ms: FloatVector = np.exp(ratios + self._mean[_PACE]) * self._growth(_DRAFT_SLOPE, context_tokens)
        return costs_ms

    def absorb_ms(self, rows: int) -> float:
        """Cost of absorbing `rows` waiting feature rows in one go."""
        if rows <= 0:
            return 0.0
        ratio = self._mean[self._absorb + min(rows, ABSORB_ROWS) - 1]
        return float(np.exp(ratio + self._mean[_PACE])) * max(1.0, rows / ABSORB_ROWS)

    def doubt(self) -> FloatVector:
        """(MOST_ROWS,) standard deviation, in nats, of what a verify pass costs beside a plain step."""
        doubt = np.zeros(MOST_ROWS)
        doubt[1:] = np.sqrt(self._covariance.diagonal()[self._target : self._draft])
        return doubt

    def seed(
        self,
        target: Mapping[int, Seen],
        draft: Mapping[int, Seen],
        absorb: Mapping[int, Seen],
        *,
        change_ms: float = 0.0,
    ) -> None:
        """Begin with what a probe saw on an empty context, by rows, draft length and rows absorbed."""
        self._change = change_ms / plain.ms if (plain := target.get(1)) and plain.ms > 0 else 0.0
        if plain is not None:
            self._take(_PACE, plain)
        for rows, seen in target.items():
            if 1 < rows <= MOST_ROWS:
                self._take(self._target_index(rows), seen)
        for length, seen in draft.items():
            self._take(self._draft + length - 1, seen)
        for rows, seen in absorb.items():
            if 0 < rows <= ABSORB_ROWS:
                self._take(self._absorb + rows - 1, seen)

    def observe_target(self, rows: int, context_tokens: int, elapsed_ms: float, *, is_change: bool = False) -> None:
        """A pass over `rows` rows; `is_change` says that the pass before it had another number of them."""
        if rows > MOST_ROWS or not elapsed_ms > 0:
            return
        index = self._target_index(rows)
        if is_change:
            steady_ms = float(np.exp(self._expected(index))) * self._growth(_TARGET_SLOPE, context_tokens)
            extra = (elapsed_ms - steady_ms) / float(np.exp(self._mean[_PACE]))
            self._change += _CHANGE_MEMORY * (max(-1.0, min(1.0, extra)) - self._change)
            self._change = max(0.0, self._change)
            elapsed_ms = max(elapsed_ms - self.change_ms, _LEAST_STEADY * elapsed_ms)
        self._observe(index, _TARGET_SLOPE, context_tokens, elapsed_ms)

    def observe_draft(self, length: int, context_tokens: int, elapsed_ms: float) -> None:
        index = self._draft + length - 1
        if self._is_news(index):
            self._observe(index, _DRAFT_SLOPE, context_tokens, elapsed_ms)

    def observe_absorb(self, rows: int, elapsed_ms: float) -> None:
        index = self._absorb + min(rows, ABSORB_ROWS) - 1
        if rows > 0 and self._is_news(index):
            self._observe(index, None, 0, elapsed_ms / max(1.0, rows / ABSORB_ROWS))

    def state(self) -> dict[str, object]:
        """What is worth remembering until the next session, for JSON: the ratios, and how sure they are."""
        return {
            "ratios": [round(float(value), 5) for value in self._mean],
            "doubts": [round(float(value), 5) for value in np.sqrt(self._covariance.diagonal())],
            "counts": self._counts.tolist(),
            "change": round(self._change, 4),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a remembered state; raises ValueError or KeyError when it does not fit."""
        mean, doubts = _finite(state["ratios"], len(self._mean)), _finite(state["doubts"], len(self._mean))
        counts = np.asarray(state["counts"], np.int64)
        if counts.shape != mean.shape or (counts < 0).any():
            raise ValueError("counts do not fit")
        self._mean, self._counts, self._change = mean, counts, float(state["change"])
        variances = np.minimum(self._most, doubts**2 + _REMEMBERED_DOUBT**2)
        variances[_PACE] = 1.0  # the machine may be doing anything else today
        self._covariance = np.diag(variances)
        self._counts[_PACE] = 0
        self.is_remembered = True

    def _is_news(self, index: int) -> bool:
        """The pace is learnt from every verify pass; what else is well known need not be looked at every time."""
        self._turn += 1
        return self._counts[index] < _WELL_KNOWN or self._turn % _LOOK_EVERY == 0

    def _target_index(self, rows: int) -> int:
        return _PACE if rows == 1 else self._target + rows - 2

    def _growth(self, slope: int, context_tokens: int) -> float:
        return max(0.2, 1.0 + float(self._mean[slope]) * context_tokens)

    def _set_prior(self) -> None:
        """Neighbouring sizes are thought alike, and each is given some room of its own."""
        rows = np.arange(2, MOST_ROWS + 1)
        self._expect(self._target, np.log(1 + 0.3 * (rows - 1)), shared=(0.4, np.log(rows)), own=0.2)
        lengths = np.arange(1, self.block_size + 1)
        self._expect(
            self._draft, np.log(0.25 * (1 + 0.1 * (lengths - 1))), shared=(1.0, np.ones(len(lengths))), own=0.2
        )
        waiting = np.arange(1, ABSORB_ROWS + 1)
        self._expect(
            self._absorb, np.log(0.04 * (1 + 0.3 * (waiting - 1))), shared=(1.5, np.ones(len(waiting))), own=0.3
        )
        self._mean[_PACE], self._covariance[_PACE, _PACE] = np.log(30.0), _UNKNOWN_PACE**2
        for slope in (_TARGET_SLOPE, _DRAFT_SLOPE):
            self._covariance[slope, slope] = _SLOPE_SPREAD**2

    def _expect(self, start: int, mean: FloatVector, *, shared: tuple[float, Any], own: float) -> None:
        place = slice(start, start + len(mean))
        spread, direction = shared
        self._mean[place] = mean
        self._covariance[place, place] = spread**2 * np.outer(direction, direction) + own**2 * np.eye(len(mean))

    def _observe(self, index: int, slope: int | None, context_tokens: int, elapsed_ms: float) -> None:
        """One step of the filter, for a step of the loop."""
        if not elapsed_ms > 0:
            return
        self._steps += 1
        if self._steps % _DRIFT_EVERY == 0:
            diagonal = self._covariance.reshape(-1)[:: len(self._mean) + 1]
            np.minimum(diagonal + self._drift, self._most, out=diagonal)
        growth = self._growth(slope, context_tokens) if slope is not None else 1.0
        told = self._told(index)
        expected = float(np.log(growth)) + self._expected(index)
        if slope is not None and context_tokens:
            weight = context_tokens / growth
            told = told + weight * self._covariance[slope]
            spread = float(told[_PACE] + (told[index] if index else 0.0) + weight * told[slope])
        else:
            spread = float(told[_PACE] + (told[index] if index else 0.0))
        surprise = float(np.log(elapsed_ms)) - expected
        limit = _OUTLIER * (spread + self._noise) ** 0.5
        kept = max(-limit, min(limit, surprise))
        if self._counts[_PACE]:
            self._learn_noise(kept, spread, surprise)
        self._update(told, spread + self._noise, kept)
        self._counts[index] += 1

    def _take(self, index: int, seen: Seen) -> None:
        """Believe what a probe saw: it left out the outliers itself."""
        told = self._told(index)
        total = float(told[_PACE] + (told[index] if index else 0.0)) + _PROBE_NOISE**2 / seen.times
        self._update(told, total, float(np.log(max(seen.ms, 1e-6))) - self._expected(index))
        self._counts[index] += seen.times

    def _told(self, index: int) -> FloatVector:
        """(state,) covariance of everything with the logarithm of a step's cost on an empty context."""
        told: FloatVector = self._covariance[_PACE] + self._covariance[index] if index else self._covariance[_PACE]
        return told

    def _expected(self, index: int) -> float:
        return float(self._mean[_PACE] + (self._mean[index] if index else 0.0))

    def _update(self, told: FloatVector, total: float, surprise: float) -> None:
        share = told / total
        self._mean += share * surprise
        self._covariance -= told[:, None] * share

    def _learn_noise(self, surprise: float, spread: float, whole_surprise: float) -> None:
        noise = self._noise + _NOISE_MEMORY * (surprise**2 - spread - self._noise)
        self._noise = max(_LEAST_NOISE**2, min(_MOST_NOISE**2, noise))
        stall = min(_LARGEST_STALL, float(np.exp(whole_surprise)))
        self._stall += _STALL_MEMORY * (stall - self._stall)


def _finite(values: Sequence[float], count: int) -> FloatVector:
    array = np.asarray(values, np.float64)
    if array.shape != (count,) or not np.isfinite(array).all():
        raise ValueError("a remembered cost does not fit")
    return array
