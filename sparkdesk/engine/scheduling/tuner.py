"""What the loop has learnt on this machine about this pair, and the draft lengths it leads to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkdesk.engine.scheduling.baseline import PlainBaseline
from sparkdesk.engine.scheduling.blocks import BlockMemory
from sparkdesk.engine.scheduling.calibration import Calibration, logits_of
from sparkdesk.engine.scheduling.costs import ABSORB_ROWS, MOST_ROWS, StepCosts
from sparkdesk.engine.scheduling.lengths import CONTEXT, DRAFT, Choice, Plan, Situation
from sparkdesk.engine.scheduling.parking import Parking
from sparkdesk.engine.scheduling.prompt_lookup import PromptLookup
from sparkdesk.engine.scheduling.reply_lengths import ReplyLengths
from sparkdesk.engine.scheduling.scheduler import Forecast, Prices, forecast, survival, worth_of_verifying

FloatVector = NDArray[np.float64]

_RATE_TOKENS = 32.0
_LEAST_WORTH = 0.02  # of a token
_OPTIMISM = 0.5  # standard deviations by which a verify pass is thought cheaper: what was never tried is tried
_SETTLED_ROUNDS = 4
_PLAIN_EVERY_TOKENS, _PLAIN_EVERY_AT_FIRST = 200, 16
"""A plain step now and then, however well it goes, and more often while too few were made to hold a gain against."""


@dataclass(frozen=True, slots=True)
class RoundOutcome:
    """What a round turned out to be."""

    choice: Choice
    accepted: int
    tokens: int
    """Tokens gained, the target's own included."""
    drafted: int = 0
    absorbed: int = 0
    confidences: tuple[float, ...] = ()
    next_chance: float | None = None
    """Of the first drafted token that was not verified, where all that were verified were accepted."""
    absorb_ms: float = 0.0
    draft_ms: float = 0.0
    verify_ms: float = 0.0
    """All of the rest of the round, what is done around the pass included."""
    rows: int = 0
    """Of the pass; 0 is as many as were chosen, and the anchor."""

    @property
    def elapsed_ms(self) -> float:
        return self.absorb_ms + self.draft_ms + self.verify_ms


@dataclass(frozen=True, slots=True)
class _Weighed:
    """An echo that is worth verifying."""

    length: int
    worth: float
    chances: tuple[float, ...]


class Tuner:
    """Costs and calibrations of one pair, and the state of its parking. Replies come and go, this stays."""

    def __init__(self, block_size: int, *, clock: Callable[[], float] = perf_counter) -> None:
        self.block_size, self._clock = block_size, clock
        self.costs = StepCosts(block_size)
        self.parking = Parking()
        self.expected_gain = 0.0
        """Speed expected of drafting now, as a multiple of plain decoding; 0 when nothing is known."""
        self._chances: dict[str, Calibration] = {}
        self._lookup_chances: dict[str, Calibration] = {}
        self._blocks = BlockMemory(block_size)
        self._now = 0
        self._rate_tokens = self._rate_ms = 0.0
        self._baseline = PlainBaseline()
        self._lengths = ReplyLengths()
        self._gaining = self._tokens_since_plain = 0
        self._last_rows = 1
        self._is_probing = self._is_after_probe = False
        self._prices: Prices | None = None
        self._lookup: _Weighed | None = None

    def begin_reply(self, prefill_ms: float) -> None:
        """Another text: nothing is known about its moments, and a parked pair may look at it at once."""
        self._blocks.forget_moment()
        self.parking.begin_reply(prefill_ms)
        self._is_after_probe = False
        if not self._baseline.is_known(self._clock()):
            self._tokens_since_plain = _PLAIN_EVERY_TOKENS

    def end_reply(self, tokens: int, *, has_ended: bool) -> None:
        """A reply of so many tokens is over; `has_ended` where it came to its own end."""
        self._lengths.add(tokens, has_ended=has_ended)

    def plain_ms(self) -> float:
        """What a plain step costs now, as measured in the last minute under the same load; 0 where it was not."""
        return self._baseline.step_ms(self._clock())

    def plan(self, situation: Situation) -> Plan:
        self._is_probing, self._lookup = False, None
        parking, most = self.parking, min(situation.most, self.block_size)
        may_draft = most > 0 and (not parking.is_parked or self._is_after_probe or parking.is_due)
        may_draft = may_draft and (situation.reply_tokens is None or self._lengths.goes_on(situation.reply_tokens))
        if self._wants_plain() or not (may_draft or situation.lookup):
            return Plan()
        self._prices = self._prices_now(situation)
        least_worth = 1.0 - self._prices.tokens_per_ms * float(self._prices.verify_ms[0]) + _LEAST_WORTH
        if situation.lookup:
            self._lookup = self._weigh(situation.lookup, situation.rule, least_worth)
        length, worth = self._draft_length(situation, most, least_worth) if may_draft else (0, least_worth)
        if self._lookup and (not length or self._lookup.worth >= worth):
            self._is_probing = False
            return Plan()
        return Plan(length)

    def choose(self, situation: Situation, drafted: int, confidences: Sequence[float]) -> Choice:
        if not drafted:
            return Choice(CONTEXT, self._lookup.length, self._lookup.chances) if self._lookup else Choice()
        assert self._prices is not None, "nothing is drafted without a plan"
        chances = self._calibration(situation.rule).chances(logits_of(confidences, drafted))
        if situation.is_sequential:  # what was drawn decided how much there is: to verify less of it would be peeking
            return Choice(DRAFT, drafted, tuple(chances.tolist()))
        worth = worth_of_verifying(chances, self._prices)
        length = int(worth.argmax())
        if self._lookup and self._lookup.worth > worth[length]:
            return Choice(CONTEXT, self._lookup.length, self._lookup.chances)
        return Choice(DRAFT, length, tuple(chances[:length].tolist())) if length else Choice()

    def goes_on(self, situation: Situation, confidences: Sequence[float]) -> bool:
        """Whether any longer draft is worth its passes and rows, given how sure the draft was of its tokens so far."""
        prices, drafted = self._prices_of_plan(), len(confidences)
        most = min(situation.most, self.block_size)
        if drafted >= most:
            return False
        seen, weights = self._blocks.expected(self._now)
        logits = np.concatenate((logits_of(confidences, drafted), weights @ seen[:, drafted:most]))
        gained = survival(self._calibration(situation.rule).chances(logits))[drafted:].cumsum()
        cost_ms = prices.verify_ms[drafted + 1 : most + 1] - prices.verify_ms[drafted]
        cost_ms += prices.draft_ms[drafted:most] - prices.draft_ms[drafted - 1]
        return bool((gained > prices.tokens_per_ms * cost_ms).any())

    def learn(self, situation: Situation, played: RoundOutcome) -> None:
        """After every round, also after those that somebody else decided on."""
        context, jumps, was_settled = situation.context_tokens, self.costs.jumps, not self.costs.wants_plain
        self._learn_costs(played, context)
        if was_settled and self.costs.wants_plain:
            self._baseline.forget()
        self._learn_chances(situation, played)
        plain_ms = self.costs.plain_ms(context)
        self.parking.pass_round(played.tokens, played.elapsed_ms, plain_ms=plain_ms, is_probe=self._is_probing)
        if self.costs.jumps != jumps:
            self._rate_tokens = self._rate_ms = 0.0
            self.parking.look_again()
        self._is_after_probe, self._is_probing = self._is_probing, False
        self._now += played.tokens
        is_plain = not (played.choice.length or played.drafted)
        if is_plain:
            self._baseline.add(played.elapsed_ms, self._clock())
        self._tokens_since_plain = 0 if is_plain else self._tokens_since_plain + played.tokens
        if played.choice.source != CONTEXT:  # where text repeats itself says nothing about time elsewhere
            fade = float(np.exp(-played.tokens / _RATE_TOKENS))
            self._rate_tokens = self._rate_tokens * fade + played.tokens
            self._rate_ms = self._rate_ms * fade + played.elapsed_ms

    def state(self) -> dict[str, object]:
        """What is worth remembering until the next session, for JSON."""
        return {
            "costs": self.costs.state(),
            "chances": {rule: found.state() for rule, found in self._chances.items()},
            "lookup_chances": {rule: found.state() for rule, found in self._lookup_chances.items()},
            "blocks": self._blocks.state(),
            "reply_lengths": self._lengths.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a remembered state; raises ValueError, TypeError, KeyError, AttributeError if it does not fit."""
        self.costs.restore(state["costs"])
        self._blocks.restore(state["blocks"])
        self._lengths.restore(state["reply_lengths"])
        for rule, told in state["chances"].items():
            self._calibration(rule).restore(told)
        for rule, told in state["lookup_chances"].items():
            self._lookup_calibration(rule).restore(told)

    def _wants_plain(self) -> bool:
        is_known = self._baseline.is_known(self._clock())
        every = _PLAIN_EVERY_TOKENS if is_known else _PLAIN_EVERY_AT_FIRST
        return self.costs.wants_plain or self._tokens_since_plain >= every

    def _prices_now(self, situation: Situation) -> Prices:
        costs, context = self.costs, situation.context_tokens
        verify_ms = costs.target_ms(context) * np.exp(-_OPTIMISM * costs.stddev())
        plain_ms = float(verify_ms[0])
        rate = 1.0 / plain_ms
        if self._rate_ms:
            rate = max(rate, self._rate_tokens / self._rate_ms)
        verify_ms += costs.change_ms
        verify_ms[self._last_rows - 1] -= costs.change_ms
        # A long backlog is paid once and then not again, and by all the rounds that are still to come.
        absorb_ms = costs.absorb_ms(min(situation.waiting, ABSORB_ROWS))
        if situation.reply_tokens is not None:
            rounds = max(1.0, self._lengths.remaining(situation.reply_tokens) / (1 + self.block_size))
            absorb_ms += (costs.absorb_ms(situation.waiting) - absorb_ms) / rounds
        return Prices(verify_ms, costs.draft_ms(context), absorb_ms, rate, plain_ms)

    def _weigh(self, lookup: PromptLookup, rule: str, least_worth: float) -> _Weighed | None:
        chances = self._lookup_calibration(rule).chances(lookup.logits())
        worth = worth_of_verifying(chances, self._prices_of_plan())
        length = int(worth.argmax())
        if not length or worth[length] < least_worth:
            return None
        return _Weighed(length, float(worth[length]), tuple(chances[:length].tolist()))

    def _draft_length(self, situation: Situation, most: int, least_worth: float) -> tuple[int, float]:
        """Tokens to draft, and what they are worth; parks and comes back."""
        found = self._forecast(situation)
        length = found.best_draft(most)
        worth = float(found.worth[length])
        self.expected_gain = 0.0 if self.costs.wants_plain else found.gain(length)
        if self.parking.is_parked and not self._is_after_probe:
            return (length if self._may_probe(situation, least_worth - worth) else 0), worth
        if worth < least_worth:
            self.parking.park()
            self._gaining = 0
            return 0, worth
        self.parking.unpark()
        self._gaining += 1
        if self._gaining == _SETTLED_ROUNDS:
            self.parking.settle()
        return length, worth

    def _may_probe(self, situation: Situation, worth_lost: float) -> bool:
        backlog_ms = self.costs.absorb_ms(situation.waiting)
        loss_ms = max(0.0, worth_lost) / self._prices_of_plan().tokens_per_ms
        self._is_probing = self.parking.affords(loss_ms + max(0.0, backlog_ms - self.costs.absorb_ms(ABSORB_ROWS)))
        return self._is_probing

    def _prices_of_plan(self) -> Prices:
        assert self._prices is not None
        return self._prices

    def _forecast(self, situation: Situation) -> Forecast:
        logits, weights = self._blocks.expected(self._now)
        chances = self._calibration(situation.rule).chances(logits)
        if situation.reply_tokens is not None:  # what is drafted beyond the reply's end is worth nothing
            alive = self._lengths.alive(situation.reply_tokens, self.block_size)
            chances = chances * np.concatenate(([1.0], alive[1:] / alive[:-1]))
        return forecast(chances, weights, self._prices_of_plan())

    def _learn_costs(self, played: RoundOutcome, context_tokens: int) -> None:
        rows = played.rows or played.choice.length + 1
        self.costs.observe_target(rows, context_tokens, played.verify_ms, is_change=rows != self._last_rows)
        self._last_rows = min(rows, MOST_ROWS)
        if played.drafted:
            self.costs.observe_draft(played.drafted, context_tokens, played.draft_ms)
            self.costs.observe_absorb(played.absorbed, played.absorb_ms)

    def _learn_chances(self, situation: Situation, played: RoundOutcome) -> None:
        choice = played.choice
        outcomes = [1.0] * played.accepted
        if played.accepted < choice.length:
            outcomes.append(0.0)
        elif choice.source != CONTEXT and played.next_chance is not None:
            outcomes.append(played.next_chance)
        if played.drafted:
            logits = logits_of(played.confidences, played.drafted)
            self._blocks.add(logits, self._now)
            if outcomes and choice.source != CONTEXT:
                self._calibration(situation.rule).observe(logits, outcomes)
        if choice.source == CONTEXT and situation.lookup is not None:
            self._lookup_calibration(situation.rule).observe(situation.lookup.logits(), outcomes)
        for calibration in (*self._chances.values(), *self._lookup_chances.values()):
            calibration.pass_tokens(played.tokens)

    def _calibration(self, rule: str) -> Calibration:
        found = self._chances.get(rule)
        if found is None:
            found = self._chances[rule] = Calibration(self.block_size)
        return found

    def _lookup_calibration(self, rule: str) -> Calibration:
        found = self._lookup_chances.get(rule)
        if found is None:
            found = self._lookup_chances[rule] = Calibration(MOST_ROWS - 1)
        return found
