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
_LEAST_SHARE = 1 / (1 + exp(_LARGEST_LOGIT))
_DRIFT_EVERY = 8


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
        self.observed = self._since_drift = 0
        self._inputs = np.zeros((positions, size))  # of a block's tokens: 1, confidence, recent success, which position
        self._inputs[:, _BIAS] = 1.0
        self._inputs[:, _FIRST_POSITION:] = np.eye(positions)

    def chances(self, confidence_logits: FloatVector, *, first_position: int = 0) -> FloatVector:
        """(..., n) probability of each token of a block to be accepted, given that those before it are."""
        count = confidence_logits.shape[-1]
        weights = self._weights
        places = weights[_FIRST_POSITION + first_position : _FIRST_POSITION + first_position + count]
        base = weights[_BIAS] + weights[_RECENT] * self._recent()
        scores = places + (base + weights[_CONFIDENCE] * confidence_logits)
        chances: FloatVector = 1.0 / (1.0 + np.exp(-scores))
        return np.minimum(np.maximum(chances, _LEAST_CHANCE), 1 - _LEAST_CHANCE)

    def observe(self, confidence_logits: FloatVector, outcomes: Sequence[float]) -> None:
        """Learn from tokens of one block, from its first on: 1 accepted, 0 rejected, or the chance it had."""
        count = len(outcomes)
        logits = confidence_logits[:count]
        self._learn(logits, np.array(outcomes))
        self._accepted += sum(outcomes)
        self._promised += float((1 / (1 + np.exp(-logits))).sum())
        self._weight += count

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

    def _learn(self, logits: FloatVector, outcomes: FloatVector) -> None:
        """One step of the extended Kalman filter for logistic regression, for all tokens of a block at once."""
        count = len(outcomes)
        inputs = self._inputs[:count]
        inputs[:, _CONFIDENCE], inputs[:, _RECENT] = logits, self._recent()
        told = inputs @ self._covariance  # (count, size)
        scores = np.minimum(np.maximum(inputs @ self._weights, -_LARGEST_LOGIT), _LARGEST_LOGIT)
        chances = 1 / (1 + np.exp(-scores))
        certainty = chances * (1 - chances)
        total = told @ inputs.T  # (count, count)
        total.reshape(-1)[:: count + 1] += 1 / certainty
        gain = np.linalg.solve(total, told)  # (count, size)
        self._weights += ((outcomes - chances) / certainty) @ gain
        self._covariance -= told.T @ gain
        self.observed += count
        self._since_drift += count
        if self._since_drift >= _DRIFT_EVERY:
            diagonal = self._covariance.reshape(-1)[:: len(self._weights) + 1]
            np.minimum(diagonal + self._since_drift * _DRIFT**2, self._most, out=diagonal)
            self._since_drift = 0


def logits_of(confidences: Sequence[float], count: int) -> FloatVector:
    """(count,) logits of confidences in 0..1; all 0 where the draft has no confidence head."""
    if not confidences:
        return np.zeros(count)
    shares = np.minimum(np.maximum(np.array(confidences, np.float64), _LEAST_SHARE), 1 - _LEAST_SHARE)
    logits: FloatVector = np.log(shares / (1 - shares))
    return logits
