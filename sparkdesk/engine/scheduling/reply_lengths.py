"""How long replies go on: learned from the replies so far, by how long one has gone on already.

A draft for a reply that ends in three tokens costs as much as one for a long text and gains next to nothing. Whether a
reply will be short is not known when it begins, but how many are is, and after a few tokens the short ones are over.
"""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatVector = NDArray[np.float64]

_EDGES = (*range(16), 16, 18, 20, 24, 28, 32, 48, 64, 96, 128, 192, 256)
"""Tokens of a reply from which each stretch begins."""
_PRIOR_TOKENS, _PRIOR_ENDS = 12.0, 0.08
"""What is believed before any reply was seen: one token in 150 is a reply's last."""
_MEMORY = 0.97
"""What a reply counts after the next one."""
_FURTHEST = 512
_SOON_TOKENS = 8
_LONG_TOKENS = 32
_SURE = 0.9


class ReplyLengths:
    """A hazard rate by stretches: of the tokens that came at about this place, how many were a reply's last."""

    def __init__(self) -> None:
        self._tokens = np.full(len(_EDGES), _PRIOR_TOKENS)
        self._ends = np.full(len(_EDGES), _PRIOR_ENDS)
        self._survival = self._survival_now()

    def add(self, tokens: int, *, has_ended: bool) -> None:
        """A reply of so many tokens; `has_ended` is False where it was cut off, by the user or by a limit.

        The end is a token too, which is not counted among them.
        """
        places = tokens + has_ended
        edges = np.append(_EDGES, np.inf)
        self._tokens = _PRIOR_TOKENS + _MEMORY * (self._tokens - _PRIOR_TOKENS)
        self._ends = _PRIOR_ENDS + _MEMORY * (self._ends - _PRIOR_ENDS)
        self._tokens += np.clip(places - edges[:-1], 0, np.diff(edges))
        if has_ended:
            self._ends[bisect_right(_EDGES, tokens) - 1] += 1
        self._survival = self._survival_now()

    def alive(self, position: int, count: int) -> FloatVector:
        """(count,) probability that a reply of `position` tokens goes on to its next token, the one after it, ...

        The next token always comes: it may be the one that ends the reply.
        """
        first = min(position, _FURTHEST)
        survival: FloatVector = self._survival[first : first + count] / self._survival[first]
        return survival

    def goes_on(self, position: int) -> bool:
        """Whether a reply of `position` tokens is all but sure not to be over in a few tokens.

        One useless draft costs about two tokens, which a longer reply does not feel.
        """
        return position >= _LONG_TOKENS or bool(self.alive(position, _SOON_TOKENS + 1)[-1] >= _SURE)

    def remaining(self, position: int) -> float:
        """Expected further tokens, as far as can be seen."""
        return float(self.alive(position, _FURTHEST).sum())

    def state(self) -> dict[str, object]:
        """For JSON."""
        return {"tokens": np.round(self._tokens, 2).tolist(), "ends": np.round(self._ends, 3).tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a remembered state; raises ValueError, TypeError or KeyError where it does not fit."""
        tokens, ends = np.asarray(state["tokens"], np.float64), np.asarray(state["ends"], np.float64)
        if tokens.shape != self._tokens.shape or ends.shape != self._ends.shape:
            raise ValueError("remembered reply lengths do not fit")
        if not (np.isfinite(tokens).all() and (ends > 0).all() and (tokens >= ends).all()):
            raise ValueError("remembered reply lengths make no sense")
        self._tokens, self._ends = tokens, ends
        self._survival = self._survival_now()

    def _survival_now(self) -> FloatVector:
        """(2 * furthest + 1,) probability that a reply has at least so many tokens and one more."""
        stretches = np.searchsorted(_EDGES, np.arange(2 * _FURTHEST), side="right") - 1
        hazard = np.minimum(0.99, (self._ends / self._tokens)[stretches])
        return np.concatenate(([1.0], np.multiply.accumulate(1.0 - hazard)))
