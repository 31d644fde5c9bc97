"""From a block of draft logits to the tokens that are put before the target, and the distributions they came from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sparkdesk.engine.block import Block, ConstraintPart, FloatArray, MarkovPart
from sparkdesk.engine.sampling import Distribution, Floats, Ids, Sampler, at_least_largest, certain, restricted

KEPT_MASS = 0.999
"""Share of the draft's probability its candidates are chosen to hold."""
_CANDIDATES_PER_TOP_K = 8
NEGLIGIBLE_NATS = 14.0
_CAPPED_CANDIDATES, _SMALL_VOCABULARY = 512, 4096
"""A cap brings tokens closer together, and the Markov bias may then put another one on top."""
ASKED_TOKENS = 256
"""How far down a draft is looked for tokens that a constraint allows."""


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


def greedy(block: Block, anchor: int = 0, *, markov: MarkovPart | None = None) -> Proposal:
    """The graph's own chain: it is conditioned on its greedy tokens already. Only a soft cap makes it be redone."""
    if not block.logit_cap or markov is None:
        return Proposal(tuple(block.logits.argmax(axis=1).tolist()), (), block.confidences)
    chain = _Chain(block, anchor, markov)
    for row in range(len(block.logits)):
        ids = _candidates_under_cap(block.logits[row])
        logits = chain.logits(row, ids)
        chain.tokens.append(int(ids[int(logits.argmax())]))
    return Proposal(tuple(chain.tokens), (), block.confidences)


def sampled(
    block: Block, anchor: int, *, history: Sequence[int], sampler: Sampler, markov: MarkovPart | None
) -> Proposal:
    """Draw token after token, each conditioned on the one really drawn before it.

    Row i holds the bias of the greedy token of row i - 1. Where another token was drawn, that bias is exchanged over
    the likely candidates. q may be any distribution as long as it is the one drawn from, so truncating it is lossless.
    """
    chain = _Chain(block, anchor, markov)
    distributions: list[Distribution] = []
    past = sampler.recent(history)
    for i, row in enumerate(block.logits):
        if chain.is_as_assumed(i):
            q = sampler.distribution(row, past, reach_nats=NEGLIGIBLE_NATS)
        else:
            ids = _candidates_under_cap(row) if block.logit_cap else likely(row, sampler)
            q = restricted_to(ids, chain.logits(i, ids), past=past, sampler=sampler)
        token = q.draw(sampler.uniform())
        chain.tokens.append(token)
        distributions.append(q)
        past.append(token)
    return Proposal(tuple(chain.tokens), tuple(distributions), block.confidences)


def constrained_greedy(
    block: Block, anchor: int, constraint: ConstraintPart, *, markov: MarkovPart | None = None
) -> Proposal:
    """At each place the likeliest token that is allowed; ends where none of the likely ones is.

    `constraint` stands after the anchor and follows the tokens.
    """
    chain = _Chain(block, anchor, markov)
    for i, row in enumerate(block.logits):
        ids = row.argmax(keepdims=True)
        if not (chain.is_as_assumed(i) and constraint.allowed(ids)[0]):
            ids = most_likely(row)
            ids = ids[constraint.allowed(ids)]
        logits = chain.logits(i, ids)
        if not np.isfinite(logits).any():  # none of them is allowed, or none is possible
            break
        chain.tokens.append(int(ids[int(logits.argmax())]))
        constraint.accept(chain.tokens[-1])
    return Proposal(tuple(chain.tokens), (), block.confidences)


def constrained_sampled(
    block: Block,
    anchor: int,
    constraint: ConstraintPart,
    *,
    history: Sequence[int],
    sampler: Sampler,
    markov: MarkovPart | None,
) -> Proposal:
    """Draw only tokens that are allowed; ends where none of the likely ones is.

    Whether a place is drafted depends on the tokens before it alone, and q is what was drawn from: that is lossless.
    """
    chain = _Chain(block, anchor, markov)
    distributions: list[Distribution] = []
    past = sampler.recent(history)
    for i, row in enumerate(block.logits):
        ids = likely(row, sampler)[:ASKED_TOKENS]
        ids = ids[constraint.allowed(ids)]
        if not len(ids):
            ids = most_likely(row)
            ids = ids[constraint.allowed(ids)]
        logits = chain.logits(i, ids)
        if not np.isfinite(logits).any():
            break
        q = restricted_to(ids, logits, past=past, sampler=sampler)
        token = q.draw(sampler.uniform())
        chain.tokens.append(token)
        distributions.append(q)
        past.append(token)
        constraint.accept(token)
    return Proposal(tuple(chain.tokens), tuple(distributions), block.confidences)


def cut_to_allowed(offered: Proposal, constraint: ConstraintPart) -> Proposal:
    """Its tokens as far as they are allowed, one after the other; `constraint` follows them."""
    for i, token in enumerate(offered.tokens):
        if not constraint.allowed(np.array([token]))[0]:
            return offered.first(i)
        constraint.accept(token)
    return offered


class _Chain:
    """The block's rows, conditioned on the tokens chosen so far instead of the graph's greedy ones.

    A capped model caps its logits before the Markov bias is added (DeepSpec), and the graph never caps: there the base
    is taken out of every row, capped, and the bias added again.
    """

    def __init__(self, block: Block, anchor: int, markov: MarkovPart | None) -> None:
        self._logits, self._cap, self._markov = block.logits, block.logit_cap, markov
        self._assumed = [anchor, *block.logits.argmax(axis=1).tolist()]
        self._anchor = anchor
        self.tokens: list[int] = []

    def is_as_assumed(self, row: int) -> bool:
        """Whether the graph's own row is right as it stands."""
        return not self._cap and (self._markov is None or self._previous() == self._assumed[row])

    def logits(self, row: int, ids: Ids) -> Floats:
        """(len(ids),) logits of the candidates `ids` after the tokens chosen so far."""
        found: FloatArray = self._logits[row][ids]
        markov, previous, assumed = self._markov, self._previous(), self._assumed[row]
        if not self._cap:
            return found if markov is None else found + markov.difference(previous, assumed, ids)
        base = found if markov is None else found - markov.bias(assumed, ids)
        logits = capped(base, self._cap)
        if markov is not None:
            logits = logits + markov.bias(previous, ids)
        logits[np.isneginf(found)] = -np.inf  # a cap must not make the impossible possible
        return logits

    def _previous(self) -> int:
        return self.tokens[-1] if self.tokens else self._anchor


def capped(logits: Floats, cap: float) -> Floats:
    """The soft cap of Gemma models: cap * tanh(x / cap)."""
    result: Floats = np.tanh(logits / cap)
    result *= cap
    return result


def restricted_to(ids: Ids, logits: Floats, *, past: Sequence[int], sampler: Sampler) -> Distribution:
    """The sampler's distribution over the candidates `ids` alone."""
    if sampler.has_penalties:
        place = {int(token): i for i, token in enumerate(ids)}
        logits = sampler.penalized(logits, [place[token] for token in past if token in place])
    return restricted(ids, logits, sampler.settings)


def _candidates_under_cap(row: Floats) -> Ids:
    """All of a small vocabulary; of a large one what the graph, which knows no cap, holds for the best."""
    if len(row) <= _SMALL_VOCABULARY:
        return np.arange(len(row))
    return at_least_largest(row, _CAPPED_CANDIDATES)


def most_likely(row: Floats) -> Ids:
    return at_least_largest(row, min(ASKED_TOKENS, len(row)))


def likely(row: Floats, sampler: Sampler) -> Ids:
    """Ids of the tokens that hold KEPT_MASS of the row, at the temperature or at 1, whichever is wider."""
    temperature = max(1.0, sampler.settings.temperature)
    best = row.max()
    near = np.flatnonzero(row > best - temperature * NEGLIGIBLE_NATS)
    weights = np.exp((row[near] - best) / temperature)
    order = np.argsort(-weights)
    cumulated = weights[order].cumsum()
    keep = int(cumulated.searchsorted(KEPT_MASS * cumulated[-1])) + 1
    if sampler.settings.top_k > 0:
        keep = min(keep, _CANDIDATES_PER_TOP_K * sampler.settings.top_k)
    return near[order[:keep]]
