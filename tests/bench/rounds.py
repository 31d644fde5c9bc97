"""Rounds of known speed for benchmarks, and the scripted engine as a benchmark is lent it."""

from dataclasses import replace
from typing import Any

from sparkdesk.bench.results import Reply
from sparkdesk.engine.round import Round
from sparkdesk.engine.settings import GenerationSettings
from sparkdesk.engine.stats import ReplyStats
from tests.reply_scripts import Rounds, playing
from tests.scripted_engine import ScriptedEngine


def plain_rounds(count: int, *, ms: float = 10.0, token: int = 66) -> list[Round]:
    return [Round((token,), (False,), verify_ms=ms) for _ in range(count)]


def drafted_rounds(
    count: int, *, accepted: int = 3, drafted: int = 3, ms: float = 12.0, token: int = 66
) -> list[Round]:
    """Rounds that gain `accepted` + 1 tokens for `ms` each."""
    done = Round(
        (token,) * (accepted + 1),
        (*(True for _ in range(accepted)), False),
        drafted=drafted,
        verified=drafted,
        accepted=accepted,
        confidences=(0.9,) * drafted,
        expected=(0.8,) * drafted,
        source="draft",
        draft_ms=1.0,
        absorb_ms=1.0,
        verify_ms=ms - 3.0,
        other_ms=1.0,
    )
    return [replace(done) for _ in range(count)]


def eight_tokens(prompt: tuple[int, ...], settings: GenerationSettings) -> list[Round]:
    """In 80 ms plainly, and in 40 ms with speculation."""
    return drafted_rounds(2, ms=20.0) if settings.speculation.is_enabled else plain_rounds(8)


def lent_engine(rounds: Rounds = eight_tokens, **options: Any) -> ScriptedEngine:
    """One that a benchmark may read replies from, and neither switch, cancel nor close."""
    return ScriptedEngine(playing(rounds), is_lent=True, **options)


def reply(rounds: list[Round], *, first_token_ms: float = 10.0) -> Reply:
    """A reply to a prompt of five tokens that was read in 10 ms."""
    stats = ReplyStats(prompt_tokens=5, prefilled_tokens=5, prefill_ms=10.0).after(Round((1,), (False,), is_first=True))
    tokens: tuple[int, ...] = (1,)
    for done in rounds:
        stats, tokens = stats.after(done), tokens + done.tokens
    return Reply(tokens, "length", stats, tuple(rounds), first_token_ms)
