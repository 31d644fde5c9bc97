"""An engine for benchmarks: a character is a token, rounds are scripted, and the cache is kept as a real one would."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

from sparkdesk.bench.results import Reply
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.round import Prefilled, Round
from sparkdesk.engine.settings import GenerationSettings, SpeculationSettings
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.errors import ContextFull
from sparkdesk.runner.protocol import Compared, Finished, Prefilling, RoundDone
from tests.chat.fake_engine import MODEL, shared

Script = Callable[[tuple[int, ...], GenerationSettings], Sequence[Round]]
"""The rounds of a reply after its first token."""


@dataclass
class ScriptedEngine:
    script: Script
    model: ModelInfo | None = MODEL
    context_tokens: int = 4096
    asked: list[tuple[tuple[int, ...], GenerationSettings, bool]] = field(default_factory=list)
    reused: list[int] = field(default_factory=list)
    before_reply: Callable[[int], None] = lambda number: None
    """Called with the number of replies asked for so far; may raise."""
    forgets: bool = True
    """False keeps every prompt in the cache, whatever it is asked for."""
    _cache: tuple[int, ...] = ()

    def tokenize(self, text: str, parse_special: bool = True) -> tuple[int, ...]:
        return tuple(map(ord, text))

    def compare(self, tokens: Sequence[int], first: int, second: int) -> Compared:
        return Compared(margin=0.01 if abs(first - second) == 1 else 5.0, noise=0.01)

    def set_speculation(self, settings: SpeculationSettings) -> None:
        raise AssertionError("a benchmark says all beforehand")

    def close(self) -> None:
        raise AssertionError("whoever opened it closes it")

    def cancel(self) -> None:
        raise AssertionError("closing the reply is enough")

    def generate(
        self,
        tokens: Sequence[int],
        settings: GenerationSettings,
        ignore_end: bool = False,
        spells_control: bool = False,
    ) -> Generator[Prefilling | RoundDone | Finished, None, None]:
        prompt = tuple(tokens)
        self.before_reply(len(self.asked))
        self.asked.append((prompt, settings, ignore_end))
        if len(prompt) >= self.context_tokens:
            raise ContextFull(f"The prompt has {len(prompt)} tokens.")
        if settings.reads_afresh and self.forgets:
            self._cache = ()
        reused = shared(self._cache, prompt[:-1]) if self.forgets else len(prompt) - 1
        self.reused.append(reused)
        stats = ReplyStats(prompt_tokens=len(prompt), prefilled_tokens=len(prompt) - reused, prefill_ms=10.0)
        yield Prefilling(Prefilled(len(prompt), len(prompt), reused, 10.0))
        first = Round((65,), (False,), is_first=True)
        for done in (first, *(() if settings.max_tokens == 1 else self.script(prompt, settings))):
            stats = stats.after(done)
            yield RoundDone(done, tuple(b"x" for _ in done.tokens), settings.speculation.is_enabled)
            self._cache = prompt
        yield Finished("length", stats)


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


def twice_as_fast(prompt: tuple[int, ...], settings: GenerationSettings) -> list[Round]:
    """Eight tokens in 80 ms plainly, and in 40 ms with speculation."""
    return drafted_rounds(2, ms=20.0) if settings.speculation.is_enabled else plain_rounds(8)


def reply(rounds: list[Round], *, first_token_ms: float = 10.0) -> Reply:
    """A reply to a prompt of five tokens that was read in 10 ms."""
    stats = ReplyStats(prompt_tokens=5, prefilled_tokens=5, prefill_ms=10.0).after(Round((1,), (False,), is_first=True))
    tokens: tuple[int, ...] = (1,)
    for done in rounds:
        stats, tokens = stats.after(done), tokens + done.tokens
    return Reply(tokens, "length", stats, tuple(rounds), first_token_ms)
