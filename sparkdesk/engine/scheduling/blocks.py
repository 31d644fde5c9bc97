"""What the confidences of the next block may look like, from the blocks that were drafted at moments like this one.

Text goes from easy to hard and back, or it does not: so the blocks of the past are weighed by how like the moment
before them was to the present one. Where moments tell nothing about what follows, all of them count alike.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatVector = NDArray[np.float64]

_BLOCKS = 48
_LEADING = 3  # positions that say how a block went: beyond its first wrong token a draft is somewhere else
_MEMORY = 0.4
_MOMENT_TOKENS = 48.0
_LIKENESS = 0.6  # width of the kernel, in standard deviations of the moments seen
_LEAST_WIDTH = 0.05
_WIDTH_EVERY = 8
_PRIOR_BLOCKS = 0.3
_HOPED_LOGIT = 1.2


class BlockMemory:
    """A ring of confidence logits, each with the moment it came from."""

    def __init__(self, block_size: int) -> None:
        self._logits = np.full((_BLOCKS + 1, block_size), _HOPED_LOGIT)  # the last row stands for what was hoped
        self._moments = np.zeros(_BLOCKS)
        self._count = 0
        self._moment = self._then = 0.0
        self._width = _LEAST_WIDTH
        self._mean = _HOPED_LOGIT

    def expected(self, now: int) -> tuple[FloatVector, FloatVector]:
        """(blocks, block size) logits, and their weights (blocks,), for a block drafted after `now` tokens."""
        count = min(self._count, _BLOCKS)
        weights = np.empty(_BLOCKS + 1)
        moments = self._moments[:count]
        if count > 1:
            apart = (moments - self._moment_at(now)) / self._width
            weights[:count] = np.exp(-0.5 * apart * apart)
        else:
            weights[:count] = 1.0
        weights[count:] = 0.0
        weights[_BLOCKS] = _PRIOR_BLOCKS
        return self._logits, weights / weights.sum()

    def add(self, logits: FloatVector, now: int) -> None:
        """A block drafted after `now` tokens; `logits` (n,) may be shorter than a whole block."""
        place = self._count % _BLOCKS
        row, drafted = self._logits[place], len(logits)
        row[:drafted] = logits
        row[drafted:] = logits.sum() / drafted
        moment = self._moment_at(now)
        self._moments[place] = moment
        level = float(logits[:_LEADING].sum()) / min(_LEADING, drafted)
        self._count += 1
        if self._count < _BLOCKS or self._count % _WIDTH_EVERY == 0:
            self._width = _LIKENESS * float(self._moments[: min(self._count, _BLOCKS)].std()) + _LEAST_WIDTH
        if self._count == 1:
            self._mean = moment = level
        self._mean += max(0.02, 1 / self._count) * (level - self._mean)
        self._moment = moment + _MEMORY * (level - moment)
        self._then = now

    def forget_moment(self) -> None:
        """Another text begins."""
        self._moment = self._mean

    def state(self) -> dict[str, object]:
        """What is worth remembering until the next session, for JSON."""
        count = min(self._count, _BLOCKS)
        return {
            "logits": np.round(self._logits[:count], 2).tolist(),
            "moments": np.round(self._moments[:count], 3).tolist(),
            "mean": round(self._mean, 4),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a remembered state; raises ValueError, TypeError or KeyError when it does not fit."""
        logits, moments = np.asarray(state["logits"], np.float64), np.asarray(state["moments"], np.float64)
        count = len(moments)
        if count > _BLOCKS or (count and logits.shape != (count, self._logits.shape[1])):
            raise ValueError("remembered blocks do not fit")
        if not (np.isfinite(logits).all() and np.isfinite(moments).all()):
            raise ValueError("a remembered block is not finite")
        if count:
            self._logits[:count], self._moments[:count] = logits, moments
        self._count, self._mean = count, float(state["mean"])
        if count:
            self._width = _LIKENESS * float(moments.std()) + _LEAST_WIDTH
        self.forget_moment()

    def _moment_at(self, now: int) -> float:
        """How the text went lately; fades towards how it goes on the whole."""
        return self._mean + (self._moment - self._mean) * float(np.exp((self._then - now) / _MOMENT_TOKENS))
