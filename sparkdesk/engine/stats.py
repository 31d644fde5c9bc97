"""What one reply cost and gained: sums over rounds, in milliseconds and tokens."""

from dataclasses import dataclass, replace
from itertools import zip_longest
from math import sqrt

from sparkdesk.engine.round import Round
from sparkdesk.engine.scheduling.lengths import CONTEXT

_MOST_OF_A_PASS = 1.1
"""A plain step against a pass that verifies: it never costs more, but both are measured with noise."""
_FEWEST_ROUNDS, _STANDARD_ERRORS = 3, 2.0
_COVERED_SHARE = 0.5
"""Of a reply's tokens, that must have been made while plain decoding was measured, for it to count in any sum."""


@dataclass(frozen=True, slots=True)
class ReplyStats:
    """Figures of one reply; speed counts decoding only, prefill apart."""

    prompt_tokens: int = 0
    prefilled_tokens: int = 0
    """Prompt tokens that were really decoded; the rest came from the KV cache."""
    prefill_ms: float = 0.0
    generated: int = 0
    has_end: bool = False
    """Whether a round brought the end-of-turn token, which is not among the generated ones."""
    rounds: int = 0
    """Target passes after the prefill, plain ones included."""
    verified: int = 0
    """Draft tokens the target looked at."""
    accepted: int = 0
    """Draft tokens that were right, an end-of-turn token included."""
    from_context: int = 0
    """Those of the accepted tokens that repeat the context and were not the draft's."""
    verified_by_position: tuple[int, ...] = ()
    """Of the draft's own tokens, by their place in the block."""
    accepted_by_position: tuple[int, ...] = ()
    draft_ms: float = 0.0
    absorb_ms: float = 0.0
    verify_ms: float = 0.0
    other_ms: float = 0.0
    """Everything in a round that is not a llama.cpp call: sampling, scheduling, bookkeeping."""
    plain_ms_per_token: float = 0.0
    """What a plain step cost when the last round was over; 0 where it was not measured under the same load."""
    plain_tokens: int = 0
    """Of the decoded tokens, those that came while that was known."""
    plain_tokens_ms: float = 0.0
    """What these would have taken plainly, each by what a plain step cost at its time."""
    measured_rounds: int = 0
    """The rounds in which they came."""
    won_ms: float = 0.0
    """Sum over these rounds of the plain time of their tokens less their own time."""
    won_squares_ms2: float = 0.0
    """Sum of the squares of the same."""
    prefills: int = 1
    """How often a prompt was read for it: each brought a token that cost no round. More than one where the reply was
    gone on with."""

    @property
    def cached_tokens(self) -> int | None:
        """Prompt tokens that were in the KV cache. None where the prompt was read more than once, and where a server
        did not tell: one token at least is always read."""
        return self.prompt_tokens - self.prefilled_tokens if self.prefills == 1 and self.prefilled_tokens else None

    @property
    def first_token_ms(self) -> float | None:
        """The time of the prompt's reading, with which the first token comes. None where it was read more than once,
        and where it was not measured."""
        return self.prefill_ms if self.prefills == 1 and self.prefill_ms > 0 else None

    @property
    def decode_ms(self) -> float:
        return self.draft_ms + self.absorb_ms + self.verify_ms + self.other_ms

    @property
    def decoded(self) -> int:
        """Tokens gained by rounds, the end-of-turn token included: the first token comes with the prefill."""
        return max(0, self.generated - self.prefills) + self.has_end

    @property
    def tokens_per_second(self) -> float:
        return 1e3 * self.decoded / self.decode_ms if self.decode_ms > 0 else 0.0

    @property
    def accepted_length(self) -> float:
        """Tokens gained per round, bonus token included; 1.0 is plain decoding."""
        return self.decoded / self.rounds if self.rounds else 0.0

    @property
    def acceptance(self) -> float:
        """Accepted / verified draft tokens."""
        return self.accepted / self.verified if self.verified else 0.0

    @property
    def acceptance_by_position(self) -> tuple[float, ...]:
        pairs = zip(self.accepted_by_position, self.verified_by_position, strict=True)
        return tuple(accepted / verified if verified else 0.0 for accepted, verified in pairs)

    @property
    def plain_ms(self) -> float:
        """What a plain step cost over this reply, 0 where it was not measured: each token counts by what it would have
        taken at its time, so that load that comes or goes in mid-reply is neither won nor lost. Never more than a whole
        pass over the drafted tokens took."""
        step_ms = self.plain_tokens_ms / self.plain_tokens if self.plain_tokens else self.plain_ms_per_token
        return min(step_ms, _MOST_OF_A_PASS * self.verify_ms / self.rounds) if self.rounds else step_ms

    @property
    def saved_ms(self) -> float:
        """Time won against plain decoding of the same tokens (negative: lost); 0 when plain is not measured, and where
        what was lost is no more than chance."""
        saved_ms = self.decoded * self.plain_ms - self.decode_ms if self.plain_ms > 0 else 0.0
        return 0.0 if saved_ms < 0 and self._is_by_chance else saved_ms

    @property
    def _is_by_chance(self) -> bool:
        """Whether rounds differ so much that their loss may be nothing but the stalls of a busy machine.

        Student's t of the rounds' gains, against two standard errors. A pair that loses does so in every round; another
        program takes a few of them at random.
        """
        count = self.measured_rounds
        if count < _FEWEST_ROUNDS:
            return False
        mean = self.won_ms / count
        variance = max(0.0, self.won_squares_ms2 / count - mean * mean) * count / (count - 1)
        return mean > -_STANDARD_ERRORS * sqrt(variance / count)

    @property
    def saved_by_speculation_ms(self) -> float:
        """The same for sums over replies: 0 where nothing was verified, because plain rounds are a little faster or
        slower than their mean too, and where plain decoding was not measured over most of the reply."""
        is_measured = self.plain_tokens >= _COVERED_SHARE * self.decoded
        return self.saved_ms if self.verified and is_measured else 0.0

    @property
    def speedup(self) -> float:
        """Plain time over real time for the same tokens; 0 when plain is not measured, and 1 for a loss by chance."""
        if self.plain_ms <= 0 or self.decode_ms <= 0:
            return 0.0
        found = self.decoded * self.plain_ms / self.decode_ms
        return 1.0 if found < 1.0 and self._is_by_chance else found

    def after(self, done: Round) -> "ReplyStats":
        """These figures with one more round in them."""
        is_drafts_own = done.source != CONTEXT
        gained = 0 if done.is_first or not done.plain_ms_per_token else len(done.tokens) + done.has_end
        won_ms = gained * done.plain_ms_per_token - done.elapsed_ms if gained else 0.0
        verified, accepted = (done.verified, done.accepted) if is_drafts_own else (0, 0)
        return replace(
            self,
            generated=self.generated + len(done.tokens),
            has_end=self.has_end or done.has_end,
            rounds=self.rounds + (not done.is_first),
            verified=self.verified + done.verified,
            accepted=self.accepted + done.accepted,
            from_context=self.from_context + (0 if is_drafts_own else done.accepted),
            verified_by_position=_count_positions(self.verified_by_position, verified),
            accepted_by_position=_count_positions(self.accepted_by_position, accepted, least=verified),
            draft_ms=self.draft_ms + done.draft_ms,
            absorb_ms=self.absorb_ms + done.absorb_ms,
            verify_ms=self.verify_ms + done.verify_ms,
            other_ms=self.other_ms + done.other_ms,
            plain_ms_per_token=done.plain_ms_per_token or self.plain_ms_per_token,
            plain_tokens=self.plain_tokens + gained,
            plain_tokens_ms=self.plain_tokens_ms + gained * done.plain_ms_per_token,
            measured_rounds=self.measured_rounds + (gained > 0),
            won_ms=self.won_ms + won_ms,
            won_squares_ms2=self.won_squares_ms2 + won_ms * won_ms,
        )

    def followed_by(self, rest: "ReplyStats") -> "ReplyStats":
        """The figures of a reply that was gone on with: these of its beginning, and those of its rest."""
        return replace(
            rest,
            **{name: getattr(self, name) + getattr(rest, name) for name in _SUMMED},
            prompt_tokens=self.prompt_tokens,
            plain_ms_per_token=rest.plain_ms_per_token or self.plain_ms_per_token,
            verified_by_position=_added(self.verified_by_position, rest.verified_by_position),
            accepted_by_position=_added(self.accepted_by_position, rest.accepted_by_position),
        )

    def as_json(self) -> dict[str, object]:
        """The `stats` object of `chat --json`; its names are stable."""
        return {
            "tokens_per_second": round(self.tokens_per_second, 2),
            "generated": self.generated,
            "prompt_tokens": self.prompt_tokens,
            "prefilled_tokens": self.prefilled_tokens,
            "prefill_ms": round(self.prefill_ms, 3),
            "rounds": self.rounds,
            "accepted_length": round(self.accepted_length, 4),
            "acceptance": round(self.acceptance, 4),
            "from_context": self.from_context,
            "acceptance_by_position": [round(share, 4) for share in self.acceptance_by_position],
            "draft_ms": round(self.draft_ms, 3),
            "absorb_ms": round(self.absorb_ms, 3),
            "verify_ms": round(self.verify_ms, 3),
            "other_ms": round(self.other_ms, 3),
            "plain_ms_per_token": round(self.plain_ms_per_token, 3),
            "saved_ms": round(self.saved_ms, 3),
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reply ended."""

    stop_reason: str
    """"end" (end-of-turn token), "length" (max_tokens), "context" (context full) or "cancelled"."""
    stats: ReplyStats


_SUMMED = (
    *("prefilled_tokens", "prefill_ms", "generated", "rounds", "verified", "accepted", "from_context", "prefills"),
    *("draft_ms", "absorb_ms", "verify_ms", "other_ms", "plain_tokens", "plain_tokens_ms"),
)


def _added(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip_longest(one, other, fillvalue=0))


def _count_positions(counts: tuple[int, ...], reached: int, least: int = 0) -> tuple[int, ...]:
    """Add one to the first `reached` positions of a tally that is at least `least` long."""
    length = max(len(counts), reached, least)
    padded = counts + (0,) * (length - len(counts))
    return tuple(count + (position < reached) for position, count in enumerate(padded))
