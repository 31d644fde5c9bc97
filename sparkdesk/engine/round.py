"""One round of speculative decoding as its caller sees it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prefilled:
    """The prompt is in the KV cache this far."""

    done: int
    """Prompt tokens in the cache, reused ones included."""
    total: int
    reused: int
    """Prompt tokens that were in the cache already."""
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """How likely a token was to the target, by its own distribution.

    That is the softmax of its logits as they are: no temperature, no penalty, no filter and no grammar.
    """

    logprob: float
    """Natural logarithm of the token's probability."""
    top_tokens: tuple[int, ...] = ()
    """The likeliest tokens at its place, the likeliest first; the token itself need not be among them."""
    top_logprobs: tuple[float, ...] = ()
    """One for each of these."""


@dataclass(frozen=True, slots=True)
class Round:
    """Tokens that became text together, and what they cost.

    The reply's first token comes with the prefill and has `is_first` set: it cost no round.
    """

    tokens: tuple[int, ...]
    is_drafted: tuple[bool, ...]
    """One flag a token: True was drafted and accepted, False comes from the target itself (bonus or plain)."""
    drafted: int = 0
    """Draft tokens proposed."""
    verified: int = 0
    """Draft tokens the target looked at."""
    accepted: int = 0
    """Verified draft tokens that were right, an end-of-turn token included."""
    absorbed: int = 0
    """Feature rows the draft took in before it proposed."""
    confidences: tuple[float, ...] = ()
    """The draft's own estimate for each token it drafted and that was verified, given that those before it survive."""
    expected: tuple[float, ...] = ()
    """The same, of the verified tokens, as the scheduler saw it: calibrated by what really happened before."""
    source: str = ""
    """Where the drafted tokens come from: "draft", "context" (repeated text), or "" in a plain round."""
    is_parked: bool = False
    """Whether speculation is on hold because it would cost time here."""
    expected_gain: float = 0.0
    """Speed the scheduler expects of speculation now, as a multiple of plain decoding; 0 when it does not know."""
    draft_ms: float = 0.0
    absorb_ms: float = 0.0
    verify_ms: float = 0.0
    other_ms: float = 0.0
    plain_ms_per_token: float = 0.0
    """What a plain step costs, as measured in the last minute under the same load; 0 where it was not."""
    is_first: bool = False
    has_end: bool = False
    """Whether the end-of-turn token came out of this round too, after `tokens`."""
    logprobs: tuple[TokenLogprobs, ...] = ()
    """One a token where they were asked for, else empty."""

    @property
    def elapsed_ms(self) -> float:
        return self.draft_ms + self.absorb_ms + self.verify_ms + self.other_ms
