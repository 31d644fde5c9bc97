"""What every kind of step costs on this machine, as the loop itself measures it: T(rows), D(length), A(rows).

A Kalman filter (R. E. Kalman, "A New Approach to Linear Filtering and Prediction Problems", 1960) over logarithms, in
its usual terms: state mean and covariance, innovation (measured less expected), gain. One number of the state is the
pace, the cost of a plain step now: it drifts with whatever else the machine does, and every step of any kind tells
something about it. The others are the ratios of each step size to the plain step, which hardly drift. So a size that
was not used for long keeps its place when the machine slows down, and no size is assumed to cost more than a smaller
one: kernels work in groups of rows, and T(4) may well be below T(3).

When other programs come or go, the pace jumps, and the ratios may no longer hold either: threads that wait for one
another suffer more in short steps than in long ones. A run of innovations to one side is taken for a jump. It widens
the variance of all that was measured under the old pace, and what was learned at about the new pace before comes back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
_REMEMBERED_STDDEV = 0.05
_JUMP_MEMORY, _JUMP_DEVIATIONS = 0.3, 1.6
"""Of the mean of normalized innovations, which has a standard deviation of 0.42 while nothing changes."""
_EVEN_DEVIATIONS = 0.6
_JUMP_PACE = 1.0
"""Standard deviation of the pace after a jump, in nats."""
_SETTLING_STEPS, _QUIET_STEPS = 3, 12
"""Plain steps that tell the pace after a jump, and steps after one before the next is looked for."""
_AFTER_JUMP_NOISE = 0.2
_SAME_PACE = 0.35
"""In nats: regimes no further apart are taken for one."""
_MOST_REGIMES = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """A typical cost in milliseconds, and from how many steps it is known."""

    ms: float
    times: int = 1


@dataclass(frozen=True, slots=True)
class _Regime:
    """What was learned while the machine was as busy as it was."""

    pace: float
    """Logarithm of a plain step's milliseconds."""
    ratios: FloatVector
    covariance: FloatVector
    change: float


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
        self._prior = self._covariance.copy()
        self._most = self._prior.diagonal()
        self._noise = 0.1**2
        self._stall = 1.0
        self._counts = np.zeros(size, np.int64)
        self.is_remembered = False
        self.jumps = 0
        """How often the pace has jumped and was measured anew."""
        self._trend, self._even_pace = 0.0, float(self._mean[_PACE])
        self._steps_since_jump, self._unsettled = _QUIET_STEPS, 0
        self._regimes: list[_Regime] = []

    def plain_ms(self, context_tokens: int) -> float:
        """Mean cost of a plain step now; 0 when nothing was measured.

        A mean, stalls included, because it is held against sums of rounds, which have their stalls in them.
        """
        if not self._counts.any():
            return 0.0
        return float(np.exp(self._mean[_PACE]) * self._growth(_TARGET_SLOPE, context_tokens) * self._stall)

    @property
    def wants_plain(self) -> bool:
        """Whether the pace has just jumped: only plain steps tell it apart from the ratios."""
        return self._unsettled > 0

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

    def stddev(self) -> FloatVector:
        """(MOST_ROWS,) standard deviation, in nats, of what a verify pass costs beside a plain step."""
        stddev = np.zeros(MOST_ROWS)
        stddev[1:] = np.sqrt(self._covariance.diagonal()[self._target : self._draft])
        return stddev

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
        self._even_pace = float(self._mean[_PACE])

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
        """What is worth remembering until the next session, for JSON: the ratios, and how sure they are.

        Those of the time when the machine had least else to do.
        """
        quiet, mean = min([*self._regimes, self._regime()], key=lambda each: each.pace), self._mean.copy()
        mean[_PACE], mean[_FIRST_RATIO:] = quiet.pace, quiet.ratios
        return {
            "ratios": [round(float(value), 5) for value in mean],
            "stddevs": [round(float(value), 5) for value in np.sqrt(quiet.covariance.diagonal())],
            "counts": self._counts.tolist(),
            "change": round(quiet.change, 4),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a remembered state; raises ValueError or KeyError when it does not fit."""
        mean, stddevs = _finite(state["ratios"], len(self._mean)), _finite(state["stddevs"], len(self._mean))
        counts = np.asarray(state["counts"], np.int64)
        if counts.shape != mean.shape or (counts < 0).any():
            raise ValueError("counts do not fit")
        self._mean, self._counts, self._change = mean, counts, float(state["change"])
        variances = np.minimum(self._most, stddevs**2 + _REMEMBERED_STDDEV**2)
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
        self._steps_since_jump += 1
        if self._steps % _DRIFT_EVERY == 0:
            diagonal = self._covariance.reshape(-1)[:: len(self._mean) + 1]
            np.minimum(diagonal + self._drift, self._most, out=diagonal)
        growth = self._growth(slope, context_tokens) if slope is not None else 1.0
        cross_covariance = self._cross_covariance(index)
        expected = float(np.log(growth)) + self._expected(index)
        if slope is not None and context_tokens:
            weight = context_tokens / growth
            cross_covariance = cross_covariance + weight * self._covariance[slope]
            spread = float(
                cross_covariance[_PACE] + (cross_covariance[index] if index else 0.0) + weight * cross_covariance[slope]
            )
        else:
            spread = float(cross_covariance[_PACE] + (cross_covariance[index] if index else 0.0))
        innovation = float(np.log(elapsed_ms)) - expected
        if self._has_jumped(innovation / (spread + self._noise) ** 0.5):
            self._widen()
            self._observe(index, slope, context_tokens, elapsed_ms)
            return
        limit = _OUTLIER * (spread + self._noise) ** 0.5
        kept = max(-limit, min(limit, innovation))
        if self._counts[_PACE]:
            self._learn_noise(kept, spread, innovation)
        self._update(cross_covariance, spread + self._noise, kept)
        self._counts[index] += 1
        if index == _PACE and self._unsettled:
            self._unsettled -= 1
            if not self._unsettled:
                self._recall_regime()
                self.jumps += 1

    def _has_jumped(self, normalized: float) -> bool:
        """Whether this innovation, in standard deviations, makes a run of them to one side.

        One alone, however large, is a stall.
        """
        if self._steps_since_jump < _QUIET_STEPS or not self._counts[_PACE]:
            self._trend = 0.0
            return False
        kept = max(-_OUTLIER, min(_OUTLIER, normalized))
        self._trend += _JUMP_MEMORY * (kept - self._trend)
        if abs(self._trend) < _EVEN_DEVIATIONS:
            self._even_pace = float(self._mean[_PACE])
        return abs(self._trend) > _JUMP_DEVIATIONS

    def _widen(self) -> None:
        """What was measured under the old pace is doubtful now, and put aside until that pace comes back."""
        self._keep_regime()
        self._trend, self._steps_since_jump, self._stall = 0.0, 0, 1.0
        self._unsettled = _SETTLING_STEPS
        self._noise = min(self._noise, _AFTER_JUMP_NOISE**2)
        self._covariance = self._prior.copy()
        self._covariance[_PACE, _PACE] = _JUMP_PACE**2
        self._counts[_FIRST_RATIO:] = np.minimum(self._counts[_FIRST_RATIO:], 1)

    def _regime(self) -> _Regime:
        return _Regime(
            float(self._mean[_PACE]), self._mean[_FIRST_RATIO:].copy(), self._covariance.copy(), self._change
        )

    def _keep_regime(self) -> None:
        here = replace(self._regime(), pace=self._even_pace)  # by now the filter has followed the jump a little
        others = [each for each in self._regimes if abs(each.pace - here.pace) > _SAME_PACE]
        self._regimes = [*others, here][-_MOST_REGIMES:]

    def _recall_regime(self) -> None:
        """The pace after a jump is known now: was the machine like this before?"""
        pace = float(self._mean[_PACE])
        alike = min(self._regimes, key=lambda each: abs(each.pace - pace), default=None)
        if alike is None or abs(alike.pace - pace) > _SAME_PACE:
            return
        self._mean[_FIRST_RATIO:], self._change = alike.ratios, alike.change
        pace_variance = float(self._covariance[_PACE, _PACE])
        self._covariance = alike.covariance.copy()
        self._covariance[_PACE, _PACE] = max(pace_variance, float(alike.covariance[_PACE, _PACE]))

    def _take(self, index: int, seen: Seen) -> None:
        """Believe what a probe saw: it left out the outliers itself."""
        cross_covariance = self._cross_covariance(index)
        total = (
            float(cross_covariance[_PACE] + (cross_covariance[index] if index else 0.0)) + _PROBE_NOISE**2 / seen.times
        )
        self._update(cross_covariance, total, float(np.log(max(seen.ms, 1e-6))) - self._expected(index))
        self._counts[index] += seen.times

    def _cross_covariance(self, index: int) -> FloatVector:
        """(state,) covariance of everything with the logarithm of a step's cost on an empty context."""
        cross_covariance: FloatVector = (
            self._covariance[_PACE] + self._covariance[index] if index else self._covariance[_PACE]
        )
        return cross_covariance

    def _expected(self, index: int) -> float:
        return float(self._mean[_PACE] + (self._mean[index] if index else 0.0))

    def _update(self, cross_covariance: FloatVector, total: float, innovation: float) -> None:
        gain = cross_covariance / total
        self._mean += gain * innovation
        self._covariance -= cross_covariance[:, None] * gain

    def _learn_noise(self, innovation: float, spread: float, whole_innovation: float) -> None:
        noise = self._noise + _NOISE_MEMORY * (innovation**2 - spread - self._noise)
        self._noise = max(_LEAST_NOISE**2, min(_MOST_NOISE**2, noise))
        stall = min(_LARGEST_STALL, float(np.exp(whole_innovation)))
        self._stall += _STALL_MEMORY * (stall - self._stall)


def _finite(values: Sequence[float], count: int) -> FloatVector:
    array = np.asarray(values, np.float64)
    if array.shape != (count,) or not np.isfinite(array).all():
        raise ValueError("a remembered cost does not fit")
    return array
