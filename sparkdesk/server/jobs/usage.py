"""What a reply cost and gained, under the names that llama.cpp and vLLM use."""

from collections import Counter
from dataclasses import dataclass, field

from sparkdesk.engine.round import Prefilled, Round
from sparkdesk.engine.stats import ReplyStats


@dataclass
class UsageCounter:
    """Counts of a reply in the making."""

    prompt_tokens: int
    stats: ReplyStats = field(default_factory=ReplyStats)
    reused: int = 0
    prefill_ms: float = 0.0
    prefilled: int = 0
    accepted_counts: Counter[int] = field(default_factory=Counter)
    """How often so many drafted tokens of one round were accepted."""

    def prefilling(self, progress: Prefilled) -> None:
        self.reused, self.prefill_ms = progress.reused, progress.elapsed_ms
        self.prefilled = progress.done - progress.reused

    def round_done(self, done: Round) -> None:
        self.stats = self.stats.after(done)
        if done.verified:
            self.accepted_counts[done.accepted] += 1

    def figures(self, *, completion_tokens: int, reasoning_tokens: int) -> "ReplyUsage":
        return ReplyUsage(
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.reused,
            prefilled_tokens=self.prefilled,
            prefill_ms=self.prefill_ms,
            completion_tokens=completion_tokens,
            reasoning_tokens=reasoning_tokens,
            stats=self.stats,
            histogram=_as_list(self.accepted_counts),
        )


@dataclass(frozen=True, slots=True)
class ReplyUsage:
    """Of a reply that is over, or so far."""

    prompt_tokens: int
    cached_tokens: int
    prefilled_tokens: int
    prefill_ms: float
    completion_tokens: int
    """Those of the reply that count for its reader: none behind a stop string."""
    reasoning_tokens: int
    stats: ReplyStats
    histogram: tuple[int, ...]

    def usage(self) -> dict[str, object]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
        }

    def timings(self) -> dict[str, object]:
        """llama.cpp's names. draft_n are drafted tokens that the target looked at; what plain decoding would have cost
        here is ours to tell, 0 where it was not measured."""
        stats = self.stats
        return {
            "cache_n": self.cached_tokens,
            "prompt_n": self.prefilled_tokens,
            "prompt_ms": round(self.prefill_ms, 3),
            "prompt_per_token_ms": _ratio(self.prefill_ms, self.prefilled_tokens),
            "prompt_per_second": _ratio(1e3 * self.prefilled_tokens, self.prefill_ms),
            "predicted_n": stats.generated,
            "predicted_ms": round(stats.decode_ms, 3),
            "predicted_per_token_ms": _ratio(stats.decode_ms, stats.decoded),
            "predicted_per_second": round(stats.tokens_per_second, 3),
            "draft_n": stats.verified,
            "draft_n_accepted": stats.accepted,
            "plain_per_token_ms": round(stats.plain_ms, 3),
        }

    def metrics(self) -> dict[str, object]:
        """vLLM's names. A step is a round in which drafted tokens were verified."""
        stats, steps = self.stats, sum(self.histogram)
        return {
            "speculative_decoding": {
                "mean_acceptance_length": round(1 + stats.accepted / steps, 4) if steps else 1.0,
                "draft_acceptance_rate": round(stats.acceptance, 4),
                "acceptance_histogram": list(self.histogram),
                "num_spec_steps": steps,
                "num_draft_tokens": stats.verified,
                "num_accepted_draft_tokens": stats.accepted,
            }
        }


def _ratio(amount: float, of: float) -> float:
    return round(amount / of, 3) if of > 0 else 0.0


def _as_list(counts: Counter[int]) -> tuple[int, ...]:
    return tuple(counts[count] for count in range(max(counts) + 1)) if counts else ()
