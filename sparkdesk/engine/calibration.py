"""How likely a drafted token is to be accepted: the draft's confidences, held against what really happened.

A logistic regression that learns with every verified token, where the paper fits Sequential Temperature Scaling once
and offline (DSpark paper, section 3.2). Its inputs are the confidence's logit, the position in the block, and how much
better or worse than their confidences the last few tokens did: text goes from easy to hard within a reply, and a head
that only guesses does not see it. A draft without confidence head leaves position and recent success.
"""

from collections.abc import Mapping, Sequence
from math import exp, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatVector = NDArray[np.float64]

_BIAS, _CONFIDENCE, _RECENT, _FIRST_POSITION = range(4)
_EXPECTED = (0.0, 1.0, 0.7)
_SPREADS = (0.7, 0.4, 0.3)
_POSITION_SPREAD = 0.3
_DRIFT = 0.004  # standard deviation a token
_RECENT_TOKENS = 18.0
_PSEUDO_TOKENS = 0.7
_LARGEST_LOGIT = 8.0
_LEAST_CHANCE = 0.002


class Calibration:
    """Chances of acceptance under one rule (greedy, sampled, ...); `positions` is the block size."""

    def __init__(self, positions: int, *, prior: Sequence[float] = _EXPECTED) -> None:
        size = _FIRST_POSITION + positions
        self.positions = positions
        self._weights = np.zeros(size)
        self._weights[: len(prior)] = prior
        self._most = np.full(size, _POSITION_SPREAD**2)
        self._most[: len(_SPREADS)] = np.square(_SPREADS)
        self._covariance = np.diag(self._most)
        self._accepted = self._promised = self._weight = 0.0  # of the last tokens, faded
        self.observed = 0

    def chances(self, confidence_logits: FloatVector, *, first_position: int = 0) -> FloatVector:
        """(..., n) probability of each token of a block to be accepted, given that those before it are."""
        count = confidence_logits.shape[-1]
        weights = self._weights
        places = weights[_FIRST_POSITION + first_position : _FIRST_POSITION + first_position + count]
        base = weights[_BIAS] + weights[_RECENT] * self._recent()
        scores = places + (base + weights[_CONFIDENCE] * confidence_logits)
        chances: FloatVector = 1.0 / (1.0 + np.exp(-scores))
        return np.clip(chances, _LEAST_CHANCE, 1 - _LEAST_CHANCE)

    def observe(self, confidence_logits: FloatVector, outcomes: Sequence[float]) -> None:
        """Learn from tokens of one block, from its first on: 1 accepted, 0 rejected, or the chance it had."""
        recent = self._recent()
        for position, outcome in enumerate(outcomes):
            self._learn(float(confidence_logits[position]), position, recent, outcome)
        for position, outcome in enumerate(outcomes):
            self._accepted += outcome
            self._promised += 1 / (1 + exp(-float(confidence_logits[position])))
            self._weight += 1

    def pass_tokens(self, count: int) -> None:
        """So many tokens were committed: what happened before them counts less."""
        fade = exp(-count / _RECENT_TOKENS)
        self._accepted *= fade
        self._promised *= fade
        self._weight *= fade

    def state(self) -> dict[str, object]:
        """What is worth remembering until the next session, for JSON."""
        return {
            "weights": [round(float(value), 5) for value in self._weights],
            "doubts": [round(float(value), 5) for value in np.sqrt(self._covariance.diagonal())],
            "observed": self.observed,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a remembered state; raises ValueError or KeyError when it does not fit."""
        weights, doubts = np.asarray(state["weights"], np.float64), np.asarray(state["doubts"], np.float64)
        if not (weights.shape == doubts.shape == self._weights.shape) or not np.isfinite([weights, doubts]).all():
            raise ValueError("a remembered calibration does not fit")
        self._weights = weights
        self._covariance = np.diag(np.minimum(self._most, doubts**2))
        self.observed = int(state["observed"])

    def _recent(self) -> float:
        """By how many nats of log odds the last tokens did better than their confidences; 0 without any."""
        rest, pseudo = self._weight, _PSEUDO_TOKENS
        did = log((self._accepted + pseudo) / (rest - self._accepted + pseudo))
        said = log((self._promised + pseudo) / (rest - self._promised + pseudo))
        return did - said

    def _learn(self, logit: float, position: int, recent: float, outcome: float) -> None:
        """One step of the extended Kalman filter for logistic regression."""
        weights, covariance, place = self._weights, self._covariance, _FIRST_POSITION + position
        diagonal = covariance.reshape(-1)[:: len(weights) + 1]
        np.minimum(diagonal + _DRIFT**2, self._most, out=diagonal)
        told = covariance[_BIAS] + logit * covariance[_CONFIDENCE] + recent * covariance[_RECENT] + covariance[place]
        spread = told[_BIAS] + logit * told[_CONFIDENCE] + recent * told[_RECENT] + told[place]
        score = weights[_BIAS] + logit * weights[_CONFIDENCE] + recent * weights[_RECENT] + weights[place]
        chance = 1 / (1 + exp(-max(-_LARGEST_LOGIT, min(_LARGEST_LOGIT, score))))
        certainty = chance * (1 - chance)
        scale = 1 / (1 + certainty * spread)
        weights += told * (scale * (outcome - chance))
        covariance -= np.outer(told, told) * (certainty * scale)
        self.observed += 1


def logits_of(confidences: Sequence[float], count: int) -> FloatVector:
    """(count,) logits of confidences in 0..1; all 0 where the draft has no confidence head."""
    if not confidences:
        return np.zeros(count)
    shares = np.asarray(confidences, np.float64)
    with np.errstate(divide="ignore"):
        logits = np.log(shares) - np.log1p(-shares)
    clipped: FloatVector = np.clip(np.nan_to_num(logits), -_LARGEST_LOGIT, _LARGEST_LOGIT)
    return clipped
