"""Asks a running engine held-out questions, plainly and with speculation, and adds up what it did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sparkdesk.demo.chat_format import question_text
from sparkdesk.demo.corpus.exercise import Exercise, accepts
from sparkdesk.engine.settings import GenerationSettings, SamplingSettings, SpeculationSettings
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.protocol import Finished, RoundDone

MAX_TOKENS = 600
PLAIN = 0
"""The draft length that stands for no speculation."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One greedy answer and what it cost."""

    text: str
    tokens: tuple[int, ...]
    decoded: int
    """Tokens gained by rounds: all but the one that comes with the prefill."""
    rounds: int
    decode_ms: float


@dataclass(frozen=True, slots=True)
class Speed:
    """What one draft length gave over all questions of a skill."""

    length: int
    tokens_per_second: float
    accepted_length: float


@dataclass(frozen=True, slots=True)
class SkillReport:
    """How a skill did."""

    skill: str
    asked: int
    exact: int | None
    """None where many answers would be right."""
    same: int
    """Answers that every draft length gave token by token as plain decoding did."""
    mean_tokens: float
    plain: Speed
    drafted: tuple[Speed, ...]

    @property
    def best(self) -> Speed:
        """The fastest draft length."""
        return max(self.drafted, key=lambda speed: speed.tokens_per_second)

    @property
    def longest(self) -> Speed:
        """The longest draft: its accepted length says how good the draft is."""
        return max(self.drafted, key=lambda speed: speed.length)

    @property
    def speedup(self) -> float:
        """The fastest length against plain decoding."""
        return self.best.tokens_per_second / self.plain.tokens_per_second


def ask(engine: EngineClient, prompt: str, length: int) -> Reply:
    """One greedy reply with rounds of this draft length."""
    settings = GenerationSettings(
        max_tokens=MAX_TOKENS,
        sampling=SamplingSettings(temperature=0.0),
        speculation=SpeculationSettings(is_enabled=length != PLAIN, draft_length=length or None),
    )
    pieces: list[bytes] = []
    tokens: list[int] = []
    for event in engine.generate(engine.tokenize(question_text(prompt)), settings):
        if isinstance(event, RoundDone):
            pieces += event.pieces
            tokens += event.round.tokens
        elif isinstance(event, Finished):
            stats = event.stats
    text = b"".join(pieces).decode("utf-8", errors="replace")
    return Reply(text, tuple(tokens), stats.decoded, stats.rounds, stats.decode_ms)


def measure_skill(
    engine: EngineClient, skill: str, exercises: Sequence[Exercise], lengths: Sequence[int]
) -> SkillReport:
    """Every question at every length in turn, so that a busy moment of the machine hits all lengths alike."""
    replies = {length: list[Reply]() for length in (PLAIN, *lengths)}
    for index, exercise in enumerate(exercises):
        for length in _rotated(list(replies), index):
            replies[length].append(ask(engine, exercise.prompt, length))
    plain = replies[PLAIN]
    right = [accepts(exercise, reply.text) for exercise, reply in zip(exercises, plain, strict=True)]
    same = [len({reply.tokens for reply in answers}) == 1 for answers in zip(*replies.values(), strict=True)]
    return SkillReport(
        skill=skill,
        asked=len(exercises),
        exact=sum(right) if exercises[0].is_checkable else None,
        same=sum(same),
        mean_tokens=sum(len(reply.tokens) for reply in plain) / len(plain),
        plain=_speed(PLAIN, plain),
        drafted=tuple(_speed(length, replies[length]) for length in lengths),
    )


def _rotated(lengths: list[int], by: int) -> Iterator[int]:
    start = by % len(lengths)
    yield from lengths[start:] + lengths[:start]


def _speed(length: int, replies: Sequence[Reply]) -> Speed:
    decoded = sum(reply.decoded for reply in replies)
    milliseconds = sum(reply.decode_ms for reply in replies)
    rounds = sum(reply.rounds for reply in replies)
    return Speed(length, 1e3 * decoded / max(milliseconds, 1e-9), decoded / max(rounds, 1))
