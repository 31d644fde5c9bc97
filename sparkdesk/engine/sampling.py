"""Pure arithmetic of sampling: from a row of logits to a distribution, and from two distributions to a decision.

The sampler's steps run in llama.cpp's order: penalties, top-k, top-p, min-p, temperature. Speculative sampling follows
Leviathan et al. 2023 (Fast Inference from Transformers via Speculative Decoding, algorithm 1).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from sparkdesk.engine.settings import SamplingSettings

Floats = NDArray[np.float32] | NDArray[np.float64]
Ids = NDArray[np.intp]

_NEGLIGIBLE_NATS = 17.0
"""Tokens this far below the best, plus the logarithm of their number, weigh less together than float32 can tell."""
_TOP_BLOCK = 64


@dataclass(frozen=True, slots=True)
class Distribution:
    """A sparse probability distribution over tokens."""

    ids: Ids  # (n,) in no particular order
    probabilities: NDArray[np.float64]  # (n,) sums to 1

    def probability(self, token: int) -> float:
        place = int((self.ids == token).argmax())  # 0 where it is nowhere
        return float(self.probabilities[place]) if self.ids[place] == token else 0.0

    def draw(self, uniform: float) -> int:
        """The token at `uniform` (0..1) of the cumulated distribution."""
        place = int(self.probabilities.cumsum().searchsorted(uniform, side="right"))
        return int(self.ids[min(place, len(self.ids) - 1)])

    def at(self, ids: Ids) -> NDArray[np.float64]:
        """(len(ids),) probabilities of other tokens' ids."""
        order = np.argsort(self.ids)
        places = np.searchsorted(self.ids, ids, sorter=order)
        places[places == len(order)] = 0
        found = order[places]
        return np.where(self.ids[found] == ids, self.probabilities[found], 0.0)


def certain(token: int) -> Distribution:
    """All of the probability on one token: what a token that was not drawn by chance comes from."""
    return Distribution(np.array([token], np.intp), np.ones(1))


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

    def distribution(self, row: Floats, history: Sequence[int], *, reach_nats: float | None = None) -> Distribution:
        """What a token after `history` is drawn from; `reach_nats` leaves out what lies further below the best."""
        return filtered(self.penalized(row, history), self.settings, reach_nats)

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


def filtered(row: Floats, settings: SamplingSettings, reach_nats: float | None = None) -> Distribution:
    """Distribution of a row of logits (vocabulary,) under top-k, top-p, min-p and a temperature above 0."""
    ids = candidates(row, settings, reach_nats)
    return restricted(ids, row[ids], settings)


def candidates(row: Floats, settings: SamplingSettings, reach_nats: float | None = None) -> Ids:
    """Tokens that can have weight at all: a superset of those the settings keep, as far as `reach_nats` goes."""
    if 0 < settings.top_k < len(row):
        return at_least_largest(row, settings.top_k)
    widest = max(1.0, settings.temperature)  # top-p and min-p look at the distribution before the temperature
    reach = _NEGLIGIBLE_NATS + log(len(row)) if reach_nats is None else reach_nats
    return np.flatnonzero(row > row.max() - widest * reach)


def restricted(ids: Ids, logits: Floats, settings: SamplingSettings) -> Distribution:
    """The settings applied to `logits` (n,) of the tokens `ids` (n,), all others being impossible."""
    values = np.subtract(logits, logits.max(), dtype=np.float64)
    if 0 < settings.top_k < len(values) or settings.top_p < 1 or settings.min_p > 0:
        order = np.argsort(-values, kind="stable")
        order = order[: _kept_count(values[order], settings)]
        ids, values = ids[order], values[order]
    weights = np.exp(values / settings.temperature)
    weights /= np.add.reduce(weights)
    return Distribution(ids, weights)


def _kept_count(values: NDArray[np.float64], settings: SamplingSettings) -> int:
    """How many of the descending log weights (n,) pass top-k, then top-p, then min-p; at least one."""
    keep = min(len(values), settings.top_k) if settings.top_k > 0 else len(values)
    if settings.top_p < 1:
        cumulated = np.exp(values[:keep]).cumsum()
        keep = min(keep, int(cumulated.searchsorted(settings.top_p * cumulated[-1])) + 1)
    if settings.min_p > 0:
        keep = min(keep, int(np.count_nonzero(values[:keep] >= np.log(settings.min_p))))
    return max(1, keep)


def at_least_largest(row: Floats, count: int) -> Ids:
    """Ids of at least the `count` largest entries; in a long row without a partition of the whole of it."""
    blocks = len(row) // _TOP_BLOCK
    if blocks <= _TOP_BLOCK or blocks <= count:
        return np.argpartition(row, len(row) - count)[-count:]
    peaks = row[: blocks * _TOP_BLOCK].reshape(blocks, _TOP_BLOCK).max(axis=1)
    bound = np.partition(peaks, blocks - count)[-count]  # at least `count` entries are this large
    return np.flatnonzero(row >= bound)


def is_accepted(p: Distribution, q: Distribution, token: int, uniform: float) -> bool:
    """Accept a token drawn from q with probability min(1, p / q)."""
    return uniform * q.probability(token) < p.probability(token)


def residual(p: Distribution, q: Distribution) -> Distribution:
    """norm(max(0, p - q)): what a rejected token is replaced from."""
    rest = np.maximum(p.probabilities - q.at(p.ids), 0.0)
    total = rest.sum()
    if total <= 0:  # p and q agree to the last bit, and so a rejection was rounding
        return p
    return Distribution(p.ids, rest / total)


def overlap(p: Distribution, q: Distribution) -> float:
    """sum(min(p, q)): the probability that a token drawn from q is accepted."""
    return float(np.minimum(p.probabilities, q.at(p.ids)).sum())
