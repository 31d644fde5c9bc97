"""Pure arithmetic of sampling: from a row of logits to a distribution, and from two distributions to a decision.

The sampler's steps run in llama.cpp's order: penalties, top-k, top-p, min-p, temperature. Speculative sampling follows
Leviathan et al. 2023 (Fast Inference from Transformers via Speculative Decoding, algorithm 1).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparkdesk.engine.settings import SamplingSettings

Floats = NDArray[np.float32] | NDArray[np.float64]
Ids = NDArray[np.intp]

_NEGLIGIBLE_NATS = 24.0
"""A token this far below the best, plus the logarithm of their number, weighs less than float32 can tell."""
_TOP_BLOCK = 64


@dataclass(frozen=True, slots=True)
class Distribution:
    """A sparse probability distribution over tokens."""

    ids: Ids  # (n,) ascending
    probabilities: NDArray[np.float64]  # (n,) sums to 1

    def probability(self, token: int) -> float:
        place = int(np.searchsorted(self.ids, token))
        return float(self.probabilities[place]) if place < len(self.ids) and self.ids[place] == token else 0.0

    def draw(self, uniform: float) -> int:
        """The token at `uniform` (0..1) of the cumulated distribution."""
        place = int(np.searchsorted(np.cumsum(self.probabilities), uniform, side="right"))
        return int(self.ids[min(place, len(self.ids) - 1)])


class Sampler:
    """One reply's sampler: its settings and its random numbers."""

    def __init__(self, settings: SamplingSettings) -> None:
        self.settings = settings
        self.random = np.random.default_rng(settings.seed)

    @property
    def is_greedy(self) -> bool:
        return self.settings.temperature <= 0

    @property
    def has_penalties(self) -> bool:
        chosen = self.settings
        return chosen.repeat_penalty != 1 or chosen.presence_penalty != 0 or chosen.frequency_penalty != 0

    def recent(self, history: Sequence[int]) -> list[int]:
        """The end of `history` that penalties look at; empty where there are none. A new list."""
        reach = self.settings.penalty_last_tokens
        if not self.has_penalties:
            return []
        return list(history[-reach:] if reach > 0 else history)

    def penalized(self, row: Floats, history: Sequence[int]) -> Floats:
        """Logits (vocabulary,) after penalties for the end of `history`; `row` itself if there are none."""
        return penalize(row, history, self.settings) if self.has_penalties else row

    def best(self, row: Floats, history: Sequence[int]) -> int:
        return int(self.penalized(row, history).argmax())

    def distribution(self, row: Floats, history: Sequence[int]) -> Distribution:
        """What a token after `history` is drawn from."""
        return filtered(self.penalized(row, history), self.settings)

    def uniform(self) -> float:
        return float(self.random.random())


def penalize(row: Floats, history: Sequence[int], settings: SamplingSettings) -> Floats:
    """llama.cpp's penalties: repeat scales, frequency and presence subtract."""
    reach = settings.penalty_last_tokens
    counts = Counter(history[-reach:] if reach > 0 else history)
    if not counts:
        return row
    ids = np.fromiter(counts.keys(), np.intp)
    times = np.fromiter(counts.values(), np.float32)
    out = row.copy()
    seen = out[ids]
    seen = np.where(seen <= 0, seen * settings.repeat_penalty, seen / settings.repeat_penalty)
    out[ids] = seen - times * settings.frequency_penalty - settings.presence_penalty
    return out


def filtered(row: Floats, settings: SamplingSettings) -> Distribution:
    """Distribution of a row of logits (vocabulary,) under top-k, top-p, min-p and a temperature above 0."""
    ids = candidates(row, settings)
    return restricted(ids, row[ids], settings)


def candidates(row: Floats, settings: SamplingSettings) -> Ids:
    """Tokens that can have weight at all, ascending: a superset of those the settings keep."""
    if 0 < settings.top_k < len(row):
        return _at_least_largest(row, settings.top_k)
    widest = max(1.0, settings.temperature)  # top-p and min-p look at the distribution before the temperature
    return np.flatnonzero(row > row.max() - widest * (_NEGLIGIBLE_NATS + np.log(len(row))))


def restricted(ids: Ids, logits: Floats, settings: SamplingSettings) -> Distribution:
    """The settings applied to `logits` (n,) of the tokens `ids` (n,), all others being impossible."""
    order = np.argsort(-logits, kind="stable")
    values = logits[order].astype(np.float64)
    values -= values[0]
    keep = len(values)
    if settings.top_k > 0:
        keep = min(keep, settings.top_k)
    if settings.top_p < 1:
        weights = np.exp(values[:keep])
        keep = min(keep, int(np.searchsorted(np.cumsum(weights), settings.top_p * weights.sum())) + 1)
    if settings.min_p > 0:
        keep = min(keep, int(np.count_nonzero(values[:keep] >= np.log(settings.min_p))))
    keep = max(1, keep)
    weights = np.exp(values[:keep] / settings.temperature)
    kept = ids[order[:keep]]
    back = np.argsort(kept)
    return Distribution(kept[back], (weights / weights.sum())[back])


def _at_least_largest(row: Floats, count: int) -> Ids:
    """Ascending ids of at least the `count` largest entries: two cheap passes instead of a partition of the row."""
    blocks = len(row) // _TOP_BLOCK
    if blocks <= count:
        return np.sort(np.argpartition(row, -count)[-count:])
    peaks = row[: blocks * _TOP_BLOCK].reshape(blocks, _TOP_BLOCK).max(axis=1)
    bound = np.partition(peaks, -count)[-count]  # at least `count` entries are this large
    return np.flatnonzero(row >= bound)


def is_accepted(p: Distribution, q: Distribution, token: int, uniform: float) -> bool:
    """Accept a token drawn from q with probability min(1, p / q)."""
    return uniform * q.probability(token) < p.probability(token)


def residual(p: Distribution, q: Distribution) -> Distribution:
    """norm(max(0, p - q)): what a rejected token is replaced from."""
    places = np.searchsorted(q.ids, p.ids)
    places[places == len(q.ids)] = 0
    under = np.where(q.ids[places] == p.ids, q.probabilities[places], 0.0)
    rest = np.maximum(p.probabilities - under, 0.0)
    total = rest.sum()
    if total <= 0:  # p and q agree to the last bit, and so a rejection was rounding
        return p
    return Distribution(p.ids, rest / total)


def overlap(p: Distribution, q: Distribution) -> float:
    """sum(min(p, q)): the probability that a token drawn from q is accepted."""
    places = np.searchsorted(q.ids, p.ids)
    places[places == len(q.ids)] = 0
    shared = np.where(q.ids[places] == p.ids, q.probabilities[places], 0.0)
    return float(np.minimum(p.probabilities, shared).sum())
