"""What one arm of a comparison said and cost, and the two arms of a prompt side by side."""

from dataclasses import dataclass

from sparkdesk.engine.round import Round
from sparkdesk.engine.stats import ReplyStats

IDENTICAL, NEAR_TIE, DIVERGED = "identical", "near-tie", "diverged"
KINDS = (IDENTICAL, NEAR_TIE, DIVERGED)


@dataclass(frozen=True, slots=True)
class Reply:
    """One measured reply."""

    tokens: tuple[int, ...]
    stop_reason: str
    """"end", "length", "context" or "cancelled"."""
    stats: ReplyStats
    rounds: tuple[Round, ...]
    """Without the first token, which comes with the prefill."""
    first_token_ms: float
    """From the request to the first token, as whoever asks sees it."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether both arms say the same."""

    kind: str
    """"identical", "near-tie" or "diverged"."""
    position: int | None = None
    """Index of the first token that differs."""
    margin: float = 0.0
    """By how much the target prefers the plain token, in logits."""
    noise: float = 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """One prompt answered plainly and with speculation, right after one another."""

    prompt_id: str
    domain: str
    repetition: int
    plain: Reply
    speculative: Reply
    judgement: Judgement | None
    """None where replies are sampled: then different texts are no mistake."""

    @property
    def has_speed(self) -> bool:
        """Both arms decoded something after the first token."""
        return self.plain.stats.tokens_per_second > 0 and self.speculative.stats.tokens_per_second > 0

    @property
    def gain(self) -> float:
        """Speculative speed as a multiple of plain decoding; 0 where there is no speed."""
        if not self.has_speed:
            return 0.0
        return self.speculative.stats.tokens_per_second / self.plain.stats.tokens_per_second
