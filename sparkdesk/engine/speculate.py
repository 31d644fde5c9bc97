"""The loop: propose, verify, accept, until the reply ends. Works on token ids; knows nothing of text.

At every yield the target's KV cache holds the committed tokens but for the last (the anchor), and the drafter has,
absorbed or waiting, the features of exactly those. A reply that is closed or fails in between leaves more in the
target's cache than the drafter knows; the next prefill cuts both back to what they share.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from sparkdesk.engine import prefill, proposal
from sparkdesk.engine.accept import Verdict, accept
from sparkdesk.engine.block import FloatArray
from sparkdesk.engine.interfaces import DrafterPart, PairParts
from sparkdesk.engine.logprobs import logprobs
from sparkdesk.engine.picker import Picker
from sparkdesk.engine.proposal import NOTHING, Proposal
from sparkdesk.engine.round import Prefilled, Round, TokenLogprobs
from sparkdesk.engine.sampling import Sampler
from sparkdesk.engine.scheduling.costs import MOST_ROWS
from sparkdesk.engine.scheduling.lengths import (
    CONTEXT,
    EXACT,
    GREEDY,
    SAMPLED,
    Choice,
    FixedLength,
    LengthChooser,
    Situation,
)
from sparkdesk.engine.scheduling.prompt_lookup import PromptLookupIndex
from sparkdesk.engine.scheduling.tuner import RoundOutcome, Tuner
from sparkdesk.engine.settings import MOST_LOGPROBS, Control, GenerationSettings, SpeculationSettings
from sparkdesk.engine.stats import Outcome, ReplyStats


def generate(
    pair: PairParts, tokens: Sequence[int], settings: GenerationSettings, control: Control
) -> Iterator[Prefilled | Round | Outcome]:
    """Answer the prompt `tokens`: Prefilled events, then Rounds, and an Outcome last.

    The first Round carries the token that comes with the prefill. `control` is read once a round. Raises ContextFull
    when the prompt leaves no room for an answer, EngineError when a pass fails or a grammar cannot be used. May be
    closed early.
    """
    prefill.check(pair.target, tokens)
    reply = _Reply(pair, tokens, settings, control)
    try:
        yield from reply.events()
    finally:
        reply.close()


MOST_WAITING = 4096
"""Feature rows kept while nothing is drafted; more would take hundreds of megabytes with a large target."""


@dataclass(frozen=True, slots=True)
class _Draft:
    """What the draft model said, and what it cost."""

    whole: Proposal = NOTHING
    rows: int = 0
    """Places in the block: a constraint may have left the last of them without a token."""
    absorbed: int = 0
    absorb_ms: float = 0.0
    draft_ms: float = 0.0
    chain_ms: float = 0.0
    """Drawing the tokens from the draft's logits: our own work."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """What is put before the target in one round."""

    situation: Situation
    choice: Choice
    draft: _Draft
    tokens: Proposal
    """The tokens to verify."""
    unverified: Proposal = NOTHING
    """What the draft proposed after them."""


class _Reply:
    """One reply in the making."""

    def __init__(self, pair: PairParts, prompt: Sequence[int], settings: GenerationSettings, control: Control) -> None:
        self.pair, self.settings, self.control = pair, settings, control
        self.committed = list(prompt)
        self.sampler = Sampler(settings.sampling)
        self.lookup = PromptLookupIndex(self.committed)
        self.stats = ReplyStats(prompt_tokens=len(prompt))
        self.stop_reason = ""
        self.round_began = perf_counter()
        self.constraint = pair.constraint(settings.grammar) if settings.grammar is not None else None

    def close(self) -> None:
        if self.constraint is not None:
            self.constraint.close()

    def events(self) -> Iterator[Prefilled | Round | Outcome]:
        if self.control.is_cancelled:  # while it waited: what the caches hold may be worth something to the next one
            yield Outcome("cancelled", self.stats)
            return
        if self.settings.reads_afresh:
            prefill.forget(self.pair.target, self.pair.drafter)
        began = perf_counter()
        settings, tuner = self.control.speculation, self.pair.tuner
        ready = yield from prefill.run(
            self.pair.target,
            self.pair.drafter,
            tokens=self.committed,
            control=self.control,
            absorbs=settings.is_enabled and not (settings.is_tuned and tuner.parking.is_parked),
            saved=None if self.settings.reads_afresh else self.pair.saved,
        )
        if ready is None:
            yield Outcome("cancelled", self.stats)
            return
        self.stats = ReplyStats(
            prompt_tokens=len(self.committed),
            prefilled_tokens=len(self.committed) - ready.reused,
            prefill_ms=1e3 * (perf_counter() - began),
            plain_ms_per_token=tuner.plain_ms(),
        )
        tuner.begin_reply(self.stats.prefill_ms)
        yield from self.first_token(ready.row)
        while not self.is_over():
            done = self.play()
            self.stats = self.stats.after(done)
            yield done
        tuner.end_reply(self.stats.generated, has_ended=self.stop_reason == "end")
        yield Outcome(self.stop_reason, self.stats)

    def first_token(self, row: FloatArray) -> Iterator[Round]:
        logits = row.reshape(1, -1)
        verdict = accept(logits, NOTHING, history=self.committed, sampler=self.sampler, constraint=self.constraint)
        kept = self.commit(verdict.tokens)
        self.round_began = perf_counter()
        if kept:
            first = Round(kept, (False,), is_first=True, logprobs=self.logprobs(logits, kept))
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
        offer = self.offer()
        verify_began = perf_counter()
        rows = self.verified_rows(offer.tokens.tokens)
        logits = self.pair.target.decode([self.committed[-1], *rows], all_rows=True)
        verify_ms = _since(verify_began)
        verdict = accept(
            logits,
            offer.tokens,
            history=self.committed,
            sampler=self.sampler,
            unverified=offer.unverified,
            constraint=self.constraint,
        )
        kept = self.commit(verdict.tokens)
        told = self.logprobs(logits, kept)
        self.settle(verdict, len(kept))
        self.round_began = perf_counter()
        elapsed_ms = 1e3 * (self.round_began - began)
        self.learn(offer, verdict, elapsed_ms)
        return self.report(offer, verdict, kept, logprobs=told, verify_ms=verify_ms, elapsed_ms=elapsed_ms)

    def report(
        self,
        offer: _Offer,
        verdict: Verdict,
        kept: tuple[int, ...],
        *,
        logprobs: tuple[TokenLogprobs, ...],
        verify_ms: float,
        elapsed_ms: float,
    ) -> Round:
        draft, tuner = offer.draft, self.pair.tuner
        has_end = self.stop_reason == "end"
        accepted = min(verdict.accepted, len(kept) + has_end)
        is_tuned = self.control.speculation.is_tuned
        return Round(
            tokens=kept,
            is_drafted=tuple(i < accepted for i in range(len(kept))),
            drafted=draft.rows,
            absorbed=draft.absorbed,
            verified=offer.choice.length,
            accepted=accepted,
            confidences=offer.tokens.confidences,
            expected=offer.choice.chances,
            source=offer.choice.source,
            is_parked=is_tuned and tuner.parking.is_parked,
            expected_gain=tuner.expected_gain if is_tuned else 0.0,
            draft_ms=draft.draft_ms,
            absorb_ms=draft.absorb_ms,
            verify_ms=verify_ms,
            other_ms=max(0.0, elapsed_ms - draft.draft_ms - draft.absorb_ms - verify_ms),
            plain_ms_per_token=tuner.plain_ms(),
            has_end=has_end,
            logprobs=logprobs,
        )

    def offer(self) -> _Offer:
        drafter, settings = self.pair.drafter, self.control.speculation
        chooser, situation = chooser_for(settings, self.pair.tuner), self.situation()
        plan = chooser.plan(situation)
        draft = self.draft(drafter, situation, plan.length) if drafter is not None and plan.length else _Draft()
        # Told of every place, also of those a constraint left empty: whether a place is verified must depend on no
        # token drawn for it or after it.
        choice = chooser.choose(situation, draft.rows, draft.whole.confidences)
        if choice.source == CONTEXT and situation.lookup is not None:
            tokens = self.cut_to_allowed(Proposal(situation.lookup.tokens[: choice.length], (), ()))
            return _Offer(situation, choice.cut(len(tokens.tokens)), draft, tokens)
        length = self.length_to_end(draft.whole.tokens[: choice.length])
        tokens = draft.whole.first(length)
        return _Offer(situation, choice.cut(len(tokens.tokens)), draft, tokens, draft.whole.after(length))

    def length_to_end(self, drafted: Sequence[int]) -> int:
        """So many of them, up to one that ends the reply: if it is accepted, nothing follows it, and else neither.

        The end itself stays to be judged: to leave it out, because of what was drawn for it, would change the odds.
        """
        stops = self.settings.stop_tokens
        return next((place for place, token in enumerate(drafted, 1) if token in stops), len(drafted))

    def verified_rows(self, offered: Sequence[int]) -> Sequence[int]:
        """What the target must see to judge them: after a token that ends the reply it is not asked."""
        return offered[:-1] if offered and offered[-1] in self.settings.stop_tokens else offered

    def cut_to_allowed(self, offered: Proposal) -> Proposal:
        if self.constraint is None:
            return offered
        with closing(self.constraint.copy()) as constraint:
            return proposal.cut_to_allowed(offered, constraint)

    def situation(self) -> Situation:
        """What the scheduler is told; what it has no use for is not looked up."""
        drafter, settings = self.pair.drafter, self.control.speculation
        length = self.pair.target.length
        if not settings.is_enabled:
            return Situation(GREEDY, 0, length)
        room = self.room()
        lookup = self.lookup.find(min(room, MOST_ROWS - 1)) if settings.is_tuned else None
        if drafter is None:
            return Situation(self.rule(), 0, length, lookup=lookup)
        return Situation(
            self.rule(),
            min(room, drafter.block_size),
            length,
            drafter.waiting,
            lookup,
            is_sequential=drafter.is_sequential,
            reply_tokens=self.stats.generated,
        )

    def rule(self) -> str:
        if self.sampler.is_greedy:
            return GREEDY
        return EXACT if self.control.speculation.drafts_greedily else SAMPLED

    def draft(self, drafter: DrafterPart, situation: Situation, length: int) -> _Draft:
        began, waiting = perf_counter(), drafter.waiting
        drafter.absorb()
        absorb_ms, began = _since(began), perf_counter()
        chooser = chooser_for(self.control.speculation, self.pair.tuner)
        with ExitStack() as stack:
            constraint = self.constraint and stack.enter_context(closing(self.constraint.copy()))
            picker = Picker(
                self.committed,
                self.sampler,
                is_drawn=self.rule() == SAMPLED,
                constraint=constraint,
                goes_on=partial(chooser.goes_on, situation),
            )
            whole = drafter.propose(self.committed[-1], length, picker)
        draft_ms = _since(began) - picker.elapsed_ms
        # A constraint may leave the last places of a block empty; a sequential draft ends where its tokens do.
        rows = len(whole.tokens) if drafter.is_sequential else length
        return _Draft(whole, rows, waiting, absorb_ms, draft_ms, picker.elapsed_ms)

    def learn(self, offer: _Offer, verdict: Verdict, elapsed_ms: float) -> None:
        draft = offer.draft
        played = RoundOutcome(
            offer.choice,
            accepted=verdict.accepted,
            tokens=len(verdict.tokens),
            drafted=draft.rows,
            absorbed=draft.absorbed,
            confidences=draft.whole.confidences,
            next_chance=verdict.next_chance,
            absorb_ms=draft.absorb_ms,
            draft_ms=draft.draft_ms + draft.chain_ms,
            verify_ms=elapsed_ms - draft.absorb_ms - draft.draft_ms - draft.chain_ms,
            rows=1 + len(self.verified_rows(offer.tokens.tokens)),
        )
        self.pair.tuner.learn(offer.situation, played)

    def logprobs(self, logits: FloatArray, tokens: tuple[int, ...]) -> tuple[TokenLogprobs, ...]:
        top = self.settings.top_logprobs
        return () if top is None else logprobs(logits, tokens, top=min(top, MOST_LOGPROBS))

    def room(self) -> int:
        """Most tokens worth verifying: what can be cut off again, the rest of the context, what is still asked for."""
        target = self.pair.target
        room = min(target.rollback_rows, target.context_tokens - target.length - 1)
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
            drafter.keep(target, rows)
            if drafter.waiting >= MOST_WAITING:
                drafter.absorb()
        target.truncate(len(self.committed) - kept_count - 1 + rows)


def chooser_for(settings: SpeculationSettings, tuner: Tuner) -> LengthChooser:
    """The scheduler, unless the user knows better or wants none of it."""
    if not settings.is_enabled:
        return FixedLength(0)
    return tuner if settings.draft_length is None else FixedLength(settings.draft_length)


def _since(began: float) -> float:
    return 1e3 * (perf_counter() - began)
