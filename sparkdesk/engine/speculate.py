"""The loop: propose, verify, accept, until the reply ends. Works on token ids; knows nothing of text.

At every yield the target's KV cache holds the committed tokens but for the last (the anchor), and the drafter has,
absorbed or waiting, the features of exactly those. A reply that is closed or fails in between leaves more in the
target's cache than the drafter knows; the next prefill cuts both back to what they share.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

from sparkdesk.engine import prefill, proposal
from sparkdesk.engine.accept import Verdict, accept
from sparkdesk.engine.arrays import FloatArray
from sparkdesk.engine.control import Control
from sparkdesk.engine.lengths import chooser_for
from sparkdesk.engine.parts import PairParts
from sparkdesk.engine.proposal import NOTHING, Proposal
from sparkdesk.engine.round import Prefilled, Round
from sparkdesk.engine.sampling import Sampler
from sparkdesk.engine.settings import GenerationSettings
from sparkdesk.engine.stats import Outcome, ReplyStats


def generate(
    pair: PairParts, tokens: Sequence[int], settings: GenerationSettings, control: Control
) -> Iterator[Prefilled | Round | Outcome]:
    """Answer the prompt `tokens`: Prefilled events, then Rounds, and an Outcome last.

    The first Round carries the token that comes with the prefill. `control` is read once a round. Raises ContextFull
    when the prompt leaves no room for an answer, EngineError when a pass fails. May be closed early.
    """
    prefill.check(pair.target, tokens)
    yield from _Reply(pair, tokens, settings, control).events()


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is put before the target in one round."""

    offered: Proposal
    drafted: int
    """Tokens proposed; `offered` may hold fewer."""
    absorb_ms: float
    draft_ms: float


_NO_DRAFT = _Draft(NOTHING, 0, 0.0, 0.0)


class _Reply:
    """One reply in the making."""

    def __init__(self, pair: PairParts, prompt: Sequence[int], settings: GenerationSettings, control: Control) -> None:
        self.pair, self.settings, self.control = pair, settings, control
        self.committed = list(prompt)
        self.sampler = Sampler(settings.sampling)
        self.stats = ReplyStats(prompt_tokens=len(prompt))
        self.stop_reason = ""
        self.round_began = perf_counter()

    def events(self) -> Iterator[Prefilled | Round | Outcome]:
        began = perf_counter()
        ready = yield from prefill.run(self.pair.target, self.pair.drafter, tokens=self.committed, control=self.control)
        if ready is None:
            yield Outcome("cancelled", self.stats)
            return
        self.stats = ReplyStats(
            prompt_tokens=len(self.committed),
            prefilled_tokens=len(self.committed) - ready.reused,
            prefill_ms=1e3 * (perf_counter() - began),
            plain_ms_per_token=self.pair.plain_cost.ms_per_token,
        )
        yield from self.first_token(ready.row)
        while not self.is_over():
            done = self.play()
            self.stats = self.stats.after(done)
            yield done
        yield Outcome(self.stop_reason, self.stats)

    def first_token(self, row: FloatArray) -> Iterator[Round]:
        verdict = accept(row.reshape(1, -1), NOTHING, history=self.committed, sampler=self.sampler)
        kept = self.commit(verdict.tokens)
        self.round_began = perf_counter()
        if kept:
            first = Round(kept, (False,), is_first=True)
            self.stats = self.stats.after(first)
            yield first

    def is_over(self) -> bool:
        if not self.stop_reason and self.control.is_cancelled:
            self.stop_reason = "cancelled"
        if not self.stop_reason and self.pair.target.length >= self.pair.target.context_tokens:
            self.stop_reason = "context"
        return bool(self.stop_reason)

    def play(self) -> Round:
        """One round."""
        began = self.round_began
        draft = self.draft()
        verify_began = perf_counter()
        logits = self.pair.target.decode([self.committed[-1], *draft.offered.tokens], all_rows=True)
        verify_ms = _since(verify_began)
        verdict = accept(logits, draft.offered, history=self.committed, sampler=self.sampler)
        kept = self.commit(verdict.tokens)
        self.settle(verdict, len(kept))
        self.round_began = perf_counter()
        elapsed_ms = 1e3 * (self.round_began - began)
        if not draft.drafted:
            self.pair.plain_cost.observe(elapsed_ms)
        has_end = self.stop_reason == "end"
        accepted = min(verdict.accepted, len(kept) + has_end)
        return Round(
            tokens=kept,
            is_drafted=tuple(i < accepted for i in range(len(kept))),
            drafted=draft.drafted,
            verified=len(draft.offered.tokens),
            accepted=accepted,
            confidences=draft.offered.confidences,
            draft_ms=draft.draft_ms,
            absorb_ms=draft.absorb_ms,
            verify_ms=verify_ms,
            other_ms=max(0.0, elapsed_ms - draft.draft_ms - draft.absorb_ms - verify_ms),
            plain_ms_per_token=self.pair.plain_cost.ms_per_token,
            has_end=has_end,
        )

    def draft(self) -> _Draft:
        drafter, chooser = self.pair.drafter, chooser_for(self.control.speculation)
        length = chooser.before_draft(self.room()) if drafter is not None else 0
        if drafter is None or length == 0:
            return _NO_DRAFT
        began = perf_counter()
        drafter.absorb()
        absorbed = perf_counter()
        block = drafter.propose(self.committed[-1], length)
        draft_ms = _since(absorbed)
        if self.sampler.is_greedy or self.control.speculation.drafts_greedily:
            whole = proposal.greedy(block)
        else:
            whole = proposal.sampled(
                block, self.committed[-1], history=self.committed, sampler=self.sampler, markov=self.pair.markov
            )
        offered = whole.first(chooser.after_draft(whole.confidences))
        return _Draft(offered, length, 1e3 * (absorbed - began), draft_ms)

    def room(self) -> int:
        """Most tokens worth drafting: the block, the rest of the context, and what is still asked for."""
        assert self.pair.drafter is not None
        target = self.pair.target
        room = min(self.pair.drafter.block_size, target.context_tokens - target.length - 1)
        if self.settings.max_tokens > 0:
            room = min(room, self.settings.max_tokens - self.stats.generated - 1)
        return max(0, room)

    def commit(self, tokens: tuple[int, ...]) -> tuple[int, ...]:
        """Append what belongs to the reply; returns it, and sets the stop reason where the reply ends."""
        end = next((i for i, token in enumerate(tokens) if token in self.settings.stop_tokens), len(tokens))
        kept = tokens[:end]
        if end < len(tokens):
            self.stop_reason = "end"
        limit = self.settings.max_tokens
        if 0 < limit <= self.stats.generated + len(kept):
            kept = kept[: limit - self.stats.generated]
            self.stop_reason = "length"
        self.committed.extend(kept)
        return kept

    def settle(self, verdict: Verdict, kept_count: int) -> None:
        """Cut the target back to the committed frontier, and keep the features of the rows that stay."""
        target, drafter = self.pair.target, self.pair.drafter
        rows = 1 + min(verdict.accepted, kept_count)  # the anchor, and the accepted tokens that became text
        if drafter is not None:
            drafter.keep(target.features(rows))
        target.truncate(len(self.committed) - kept_count - 1 + rows)


def _since(began: float) -> float:
    return 1e3 * (perf_counter() - began)
