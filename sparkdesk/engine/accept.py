"""Pure: which drafted tokens stay, and which token of the target's own follows them.

Greedy: a drafted token stays if it is the target's best. Sampling: Leviathan et al. 2023, algorithm 1, with p the
target's distribution after the user's settings and q the one the token was drawn from; the result is distributed as p.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sparkdesk.engine.arrays import FloatArray
from sparkdesk.engine.proposal import Proposal
from sparkdesk.engine.sampling import Sampler, certain, is_accepted, residual


@dataclass(frozen=True, slots=True)
class Verdict:
    tokens: tuple[int, ...]
    """The accepted drafts and one token of the target's own."""
    accepted: int


def accept(logits: FloatArray, offered: Proposal, *, history: Sequence[int], sampler: Sampler) -> Verdict:
    """Judge `offered` by the target's logits (n + 1, vocabulary), row i following `history` and i drafted tokens."""
    if sampler.is_greedy:
        return _greedy(logits, offered, history, sampler)
    return _sampled(logits, offered, history, sampler)


def _greedy(logits: FloatArray, offered: Proposal, history: Sequence[int], sampler: Sampler) -> Verdict:
    past = sampler.recent(history)
    for i, drafted in enumerate(offered.tokens):
        best = sampler.best(logits[i], past)
        if best != drafted:
            return Verdict((*offered.tokens[:i], best), i)
        past.append(drafted)
    return Verdict((*offered.tokens, sampler.best(logits[len(offered.tokens)], past)), len(offered.tokens))


def _sampled(logits: FloatArray, offered: Proposal, history: Sequence[int], sampler: Sampler) -> Verdict:
    past = sampler.recent(history)
    # A token drafted without chance is kept with probability p: as often as a draw from p would have been equal to it.
    sources = offered.distributions or tuple(map(certain, offered.tokens))
    for i, (drafted, q) in enumerate(zip(offered.tokens, sources, strict=True)):
        p = sampler.distribution(logits[i], past)
        if not is_accepted(p, q, drafted, sampler.uniform()):
            return Verdict((*offered.tokens[:i], residual(p, q).draw(sampler.uniform())), i)
        past.append(drafted)
    bonus = sampler.distribution(logits[len(offered.tokens)], past).draw(sampler.uniform())
    return Verdict((*offered.tokens, bonus), len(offered.tokens))
