"""Pure: a race's result in words, for the screen, the command line and whoever it is shared with."""

from sparkdesk.bench.race import Race
from sparkdesk.bench.results import DIVERGED, IDENTICAL, Judgement
from sparkdesk.engine.model_info import ModelInfo

_EVEN = 0.02
"""Two measurements of the same thing differ by that much."""


def headline(race: Race) -> str:
    """Who won, by how much, and what decoding alone gained."""
    if race.gain <= 0:
        return "Nothing to compare: the replies ended with their first token."
    plain_ms = race.saved_ms + race.speculative.finish_ms
    decoding = f"decoding {times(race.gain)}"
    if abs(race.saved_ms) < _EVEN * plain_ms:
        return f"A draw: both need {seconds(plain_ms)}; {decoding}"
    if race.saved_ms > 0:
        return f"Speculation wins by {seconds(race.saved_ms)} of {seconds(plain_ms)}; {decoding}"
    return f"Plain decoding wins by {seconds(-race.saved_ms)} of {seconds(race.speculative.finish_ms)}; {decoding}"


def times(gain: float) -> str:
    """A multiple of plain decoding, or how much slower where it is far below."""
    return f"{gain:.2f}x" if gain >= 0.5 else f"{1 / gain:.1f}x slower"


def verdict(race: Race) -> str:
    """Whether both say the same; why nobody can say, where replies are sampled."""
    judgement = race.judgement
    if judgement is None:
        return f"sampled at temperature {race.temperature:g}: the texts may differ, so there is no verdict on them"
    if judgement.kind == IDENTICAL:
        return "identical text"
    at = f"at token {judgement.position} ({_margin(judgement)})"
    if judgement.kind == DIVERGED:
        return f"DIVERGED {at}: please report it"
    return f"near-tie {at}: both texts are right"


def one_line(race: Race, model: ModelInfo) -> str:
    """To be pasted somewhere: what ran where, and what came of it. No prompt and no text."""
    plain, speculative = race.plain.reply.stats, race.speculative.reply.stats
    how = "greedy" if race.judgement is not None else f"temperature {race.temperature:g}"
    parts = [
        f"{plain.tokens_per_second:.1f} -> {speculative.tokens_per_second:.1f} tok/s ({times(race.gain)})",
        f"{seconds(abs(race.saved_ms))} {'saved' if race.saved_ms > 0 else 'lost'}",
        f"accepted length {race.accepted_length:.2f}",
        f"{race.speculative.total_tokens} tokens {how}",
        *([race.judgement.kind] if race.judgement is not None else []),
    ]
    return f"SparkDesk race: {model.name} + {model.draft_name} on {', '.join(model.devices)}: {', '.join(parts)}"


def seconds(span_ms: float) -> str:
    if span_ms < 99.5:
        return f"{span_ms:.0f} ms"
    return f"{span_ms / 1e3:.2f} s" if span_ms < 9_995 else f"{span_ms / 1e3:.1f} s"


def _margin(judgement: Judgement) -> str:
    return f"margin {judgement.margin:.2g} logits, noise {judgement.noise:.2g}"
