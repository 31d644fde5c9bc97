"""Pure: which drafted tokens stay, and which token of the target's own follows them.

Greedy: a drafted token stays if it is the target's best. Sampling: Leviathan et al. 2023, algorithm 1, with p the
target's distribution after the user's settings and q the one the token was drawn from; the result is distributed as p.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sparkdesk.engine import constrained_sampling
from sparkdesk.engine.block import ConstraintPart, FloatArray
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
    constraint: ConstraintPart | None = None,
) -> Verdict:
    """Judge `offered` by the target's logits (n + 1, vocabulary), row i following `history` and i drafted tokens.

    There may be (n, vocabulary) of them, where the last drafted token ends the reply: then nothing follows it.

    `unverified` was drafted after it; of its first token only the chance is told. The constraint stands after `history`
    and follows the verdict's tokens.
    """
    target = _Target(sampler, constraint, past=sampler.recent(history))
    if sampler.is_greedy:
        return _greedy(logits, offered, target, unverified)
    return _sampled(logits, offered, target, unverified)


class _Target:
    """What the target says after the tokens that stay: its sampler, and what the constraint lets it say."""

    def __init__(self, sampler: Sampler, constraint: ConstraintPart | None, *, past: list[int]) -> None:
        self.sampler, self.constraint, self.past = sampler, constraint, past

    def best(self, row: FloatArray) -> int:
        penalized = self.sampler.penalized(row, self.past)
        return (
            int(penalized.argmax())
            if self.constraint is None
            else constrained_sampling.best(penalized, self.constraint)
        )

    def distribution(self, row: FloatArray) -> Distribution:
        if self.constraint is None:
            return self.sampler.distribution(row, self.past)
        penalized = self.sampler.penalized(row, self.past)
        return constrained_sampling.distribution(penalized, self.sampler.settings, self.constraint)

    def keep(self, token: int) -> int:
        self.past.append(token)
        if self.constraint is not None:
            self.constraint.accept(token)
        return token


def _greedy(logits: FloatArray, offered: Proposal, target: _Target, unverified: Proposal) -> Verdict:
    for i, drafted in enumerate(offered.tokens):
        best = target.keep(target.best(logits[i]))
        if best != drafted:
            return Verdict((*offered.tokens[:i], best), i)
    if len(logits) == len(offered.tokens):
        return Verdict(offered.tokens, len(offered.tokens))
    bonus = target.keep(target.best(logits[len(offered.tokens)]))
    next_chance = float(unverified.tokens[0] == bonus) if unverified.tokens else None
    return Verdict((*offered.tokens, bonus), len(offered.tokens), next_chance)


def _sampled(logits: FloatArray, offered: Proposal, target: _Target, unverified: Proposal) -> Verdict:
    uniform = target.sampler.uniform
    for i, (drafted, q) in enumerate(zip(offered.tokens, offered.sources(), strict=True)):
        p = target.distribution(logits[i])
        if not is_accepted(p, q, drafted, uniform()):
            return Verdict((*offered.tokens[:i], target.keep(residual(p, q).draw(uniform()))), i)
        target.keep(drafted)
    if len(logits) == len(offered.tokens):
        return Verdict(offered.tokens, len(offered.tokens))
    p = target.distribution(logits[len(offered.tokens)])
    bonus = target.keep(p.draw(uniform()))
    return Verdict((*offered.tokens, bonus), len(offered.tokens), _chance(p, unverified))


def _chance(p: Distribution, unverified: Proposal) -> float | None:
    """min(1, p / q) of the first token."""
    if not unverified.tokens:
        return None
    token, q = unverified.tokens[0], unverified.sources()[0]
    return min(1.0, p.probability(token) / q.probability(token))
