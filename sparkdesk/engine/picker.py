"""Turns what a draft's logits say into the tokens of one proposal, under the reply's sampler and constraint.

The drafter decides how the logits come about, all at once (a block) or token by token; here the tokens are drawn. Made
anew for every round.
"""

from collections.abc import Callable, Sequence
from time import perf_counter

import numpy as np

from sparkdesk.engine import proposal
from sparkdesk.engine.block import Block, ConstraintPart, FloatArray, MarkovPart
from sparkdesk.engine.proposal import Proposal
from sparkdesk.engine.sampling import Distribution, Ids, Sampler

GoesOn = Callable[[Sequence[float]], bool]


class Picker:
    """Draws the tokens of one proposal and remembers what they were drawn from."""

    def __init__(
        self,
        history: Sequence[int],
        sampler: Sampler,
        *,
        is_drawn: bool,
        constraint: ConstraintPart | None = None,
        goes_on: GoesOn = lambda confidences: True,
    ) -> None:
        """`history` ends with the anchor; `constraint` stands after it and follows the tokens.

        `goes_on` is asked between two steps of a sequential draft, with the confidences of the tokens picked so far.
        Only what was known before the next token is drawn may decide, and all that is picked has to be verified: that
        keeps the target's distribution (DSpark paper, section 3.2.2 and appendix A).
        """
        self._history, self._sampler, self._constraint = history, sampler, constraint
        self._is_drawn, self._goes_on = is_drawn, goes_on
        self._past = sampler.recent(history)
        self._tokens: list[int] = []
        self._distributions: list[Distribution] = []
        self._confidences: list[float] = []
        self.elapsed_ms = 0.0
        """Time spent here, as opposed to the draft's passes."""

    def block(self, block: Block, markov: MarkovPart | None) -> Proposal:
        """The tokens of a whole block, one conditioned on the other through the Markov head."""
        began = perf_counter()
        try:
            return self._of_block(block, markov)
        finally:
            self.elapsed_ms += 1e3 * (perf_counter() - began)

    def pick(self, row: FloatArray, ids: Ids | None = None) -> int | None:
        """The next token of a sequential draft, from its logits (vocabulary,); None where the proposal ends.

        `ids` maps a reduced vocabulary to the target's.
        """
        began = perf_counter()
        try:
            token = self._pick(row, ids)
            if token is None:
                return None
            self._tokens.append(token)
            self._past.append(token)
            if self._constraint is not None:
                self._constraint.accept(token)
            return token
        finally:
            self.elapsed_ms += 1e3 * (perf_counter() - began)

    @property
    def goes_on(self) -> bool:
        """Whether one more step is worth its time."""
        return self._goes_on(self._confidences)

    def proposal(self) -> Proposal:
        """What was picked token by token."""
        return Proposal(tuple(self._tokens), tuple(self._distributions), tuple(self._confidences))

    def _of_block(self, block: Block, markov: MarkovPart | None) -> Proposal:
        anchor, constraint = self._history[-1], self._constraint
        if constraint is None:
            if self._is_drawn:
                return proposal.sampled(block, anchor, history=self._history, sampler=self._sampler, markov=markov)
            return proposal.greedy(block, anchor, markov=markov)
        if self._is_drawn:
            return proposal.constrained_sampled(
                block, anchor, constraint, history=self._history, sampler=self._sampler, markov=markov
            )
        return proposal.constrained_greedy(block, anchor, constraint, markov=markov)

    def _pick(self, row: FloatArray, ids: Ids | None) -> int | None:
        """Draws one token. Confidences are told of a row before its token is drawn from it."""
        if not self._is_drawn:
            return self._best(row, ids)
        if self._constraint is None and ids is None:
            q = self._sampler.distribution(row, self._past, reach_nats=proposal.NEGLIGIBLE_NATS)
        else:
            found = self._allowed(row, ids)
            if not len(found):
                return None
            tokens = found if ids is None else ids[found]
            q = proposal.restricted_to(tokens, row[found], past=self._past, sampler=self._sampler)
        self._confidences.append(float(q.probabilities.max()))
        self._distributions.append(q)
        return q.draw(self._sampler.uniform())

    def _best(self, row: FloatArray, ids: Ids | None) -> int | None:
        best = int(row.argmax())
        total = float(np.exp(row - row[best]).sum())
        if self._constraint is not None:
            found = self._allowed(row, ids)
            if not len(found):
                return None
            best_allowed = int(found[int(row[found].argmax())])
            total *= float(np.exp(row[best] - row[best_allowed]))
            best = best_allowed
        self._confidences.append(1.0 / total)
        return best if ids is None else int(ids[best])

    def _allowed(self, row: FloatArray, ids: Ids | None) -> Ids:
        """Places of the row that the constraint allows: of the likely ones, else of the few hundred best."""
        for found in (proposal.likely(row, self._sampler)[: proposal.ASKED_TOKENS], proposal.most_likely(row)):
            if self._constraint is None:
                return found
            allowed = found[self._constraint.allowed(found if ids is None else ids[found])]
            if len(allowed) and np.isfinite(row[allowed]).any():
                return allowed
        return found[:0]
