"""From a block of draft logits to the tokens that are put before the target, and the distributions they came from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sparkdesk.engine.parts import Block, MarkovPart
from sparkdesk.engine.sampling import Distribution, Floats, Ids, Sampler, certain, restricted

KEPT_MASS = 0.999
"""Share of the draft's probability its candidates are chosen to hold."""
_CANDIDATES_PER_TOP_K = 8
_NEGLIGIBLE_NATS = 14.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """Tokens in the order they would follow the anchor."""

    tokens: tuple[int, ...]
    distributions: tuple[Distribution, ...]
    """What each token was really drawn from; empty where no chance was in it (a greedy draft, repeated text)."""
    confidences: tuple[float, ...]

    def first(self, count: int) -> "Proposal":
        return Proposal(self.tokens[:count], self.distributions[:count], self.confidences[:count])

    def after(self, count: int) -> "Proposal":
        return Proposal(self.tokens[count:], self.distributions[count:], self.confidences[count:])

    def sources(self) -> tuple[Distribution, ...]:
        """What each token is held to have been drawn from.

        A token chosen without chance is kept with probability p: as often as a draw from p would have been equal to it.
        """
        return self.distributions or tuple(map(certain, self.tokens))


NOTHING = Proposal((), (), ())


def greedy(block: Block) -> Proposal:
    """The graph's own chain: it is conditioned on its greedy tokens already."""
    return Proposal(tuple(block.logits.argmax(axis=1).tolist()), (), block.confidences)


def sampled(
    block: Block, anchor: int, *, history: Sequence[int], sampler: Sampler, markov: MarkovPart | None
) -> Proposal:
    """Draw token after token, each conditioned on the one really drawn before it.

    Row i holds the bias of the greedy token of row i - 1. Where another token was drawn, that bias is exchanged over
    the likely candidates. q may be any distribution as long as it is the one drawn from, so truncating it is lossless.
    """
    greedy_tokens = block.logits.argmax(axis=1).tolist()
    tokens: list[int] = []
    distributions: list[Distribution] = []
    past = sampler.recent(history)
    for i, row in enumerate(block.logits):
        drawn, assumed = (tokens[-1], greedy_tokens[i - 1]) if i else (anchor, anchor)
        if drawn == assumed or markov is None:
            q = sampler.distribution(row, past, reach_nats=_NEGLIGIBLE_NATS)
        else:
            q = _rechained(row, likely(row, sampler), past=past, sampler=sampler, change=(markov, drawn, assumed))
        token = q.draw(sampler.uniform())
        tokens.append(token)
        distributions.append(q)
        past.append(token)
    return Proposal(tuple(tokens), tuple(distributions), block.confidences)


def _rechained(
    row: Floats, ids: Ids, *, past: Sequence[int], sampler: Sampler, change: tuple[MarkovPart, int, int]
) -> Distribution:
    """The row's distribution over `ids` with one predecessor's bias exchanged for another's."""
    markov, drawn, assumed = change
    logits = row[ids] + markov.difference(drawn, assumed, ids)
    if sampler.has_penalties:
        place = {int(token): i for i, token in enumerate(ids)}
        logits = sampler.penalized(logits, [place[token] for token in past if token in place])
    return restricted(ids, logits, sampler.settings)


def likely(row: Floats, sampler: Sampler) -> Ids:
    """Ids of the tokens that hold KEPT_MASS of the row, at the temperature or at 1, whichever is wider."""
    temperature = max(1.0, sampler.settings.temperature)
    best = row.max()
    near = np.flatnonzero(row > best - temperature * _NEGLIGIBLE_NATS)
    weights = np.exp((row[near] - best) / temperature)
    order = np.argsort(-weights)
    cumulated = weights[order].cumsum()
    keep = int(cumulated.searchsorted(KEPT_MASS * cumulated[-1])) + 1
    if sampler.settings.top_k > 0:
        keep = min(keep, _CANDIDATES_PER_TOP_K * sampler.settings.top_k)
    return near[order[:keep]]
