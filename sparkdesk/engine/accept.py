"""Pure: which drafted tokens stay, and which token of the target's own follows them.

Greedy: a drafted token stays if it is the target's best. Sampling: Leviathan et al. 2023, algorithm 1, with p the
target's distribution after the user's settings and q the one the token was drawn from; the result is distributed as p.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sparkdesk.engine.arrays import FloatArray
from sparkdesk.engine.proposal import NOTHING, Proposal
from sparkdesk.engine.sampling import Distribution, Sampler, is_accepted, residual


@dataclass(frozen=True, slots=True)
class Verdict:
    tokens: tuple[int, ...]
    """The accepted drafts and one token of the target's own."""
    accepted: int
    next_chance: float | None = None
    """Where all were accepted: the chance that one more drafted token had, because that teaches too."""


def accept(
    logits: FloatArray,
    offered: Proposal,
    *,
    history: Sequence[int],
    sampler: Sampler,
    unverified: Proposal = NOTHING,
) -> Verdict:
    """Judge `offered` by the target's logits (n + 1, vocabulary), row i following `history` and i drafted tokens.

    `unverified` was drafted after it; of its first token only the chance is told.
    """
    if sampler.is_greedy:
        return _greedy(logits, offered, history, sampler, unverified)
    return _sampled(logits, offered, history, sampler, unverified)


def _greedy(
    logits: FloatArray, offered: Proposal, history: Sequence[int], sampler: Sampler, unverified: Proposal
) -> Verdict:
    past = sampler.recent(history)
    for i, drafted in enumerate(offered.tokens):
        best = sampler.best(logits[i], past)
        if best != drafted:
            return Verdict((*offered.tokens[:i], best), i)
        past.append(drafted)
    bonus = sampler.best(logits[len(offered.tokens)], past)
    next_chance = float(unverified.tokens[0] == bonus) if unverified.tokens else None
    return Verdict((*offered.tokens, bonus), len(offered.tokens), next_chance)


def _sampled(
    logits: FloatArray, offered: Proposal, history: Sequence[int], sampler: Sampler, unverified: Proposal
) -> Verdict:
    past = sampler.recent(history)
    for i, (drafted, q) in enumerate(zip(offered.tokens, offered.sources(), strict=True)):
        p = sampler.distribution(logits[i], past)
        if not is_accepted(p, q, drafted, sampler.uniform()):
            return Verdict((*offered.tokens[:i], residual(p, q).draw(sampler.uniform())), i)
        past.append(drafted)
    p = sampler.distribution(logits[len(offered.tokens)], past)
    return Verdict((*offered.tokens, p.draw(sampler.uniform())), len(offered.tokens), _chance(p, unverified))


def _chance(p: Distribution, unverified: Proposal) -> float | None:
    """min(1, p / q) of the first token."""
    if not unverified.tokens:
        return None
    token, q = unverified.tokens[0], unverified.sources()[0]
    return min(1.0, p.probability(token) / q.probability(token))
