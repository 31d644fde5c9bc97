"""A bench without an engine: the real journeys over scripted rounds, at a pace of choice, with every way to fail."""

import random
import re
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from sparkdesk.bench.card import card_of, check_out, write_card
from sparkdesk.bench.card_markdown import markdown
from sparkdesk.bench.comparison import ComparisonSettings, compare_replies
from sparkdesk.bench.race import RACE_DOMAIN, RaceEvent, RaceSettings, race
from sparkdesk.bench.requests import CardMade, SuiteAsked, SweepAsked
from sparkdesk.bench.results import Comparison, Judgement, Reply
from sparkdesk.bench.run_report import RunSettings, record
from sparkdesk.bench.run_store import KeptRun
from sparkdesk.bench.suite import TINY, Prompt, choose, interleaved, read_suite
from sparkdesk.bench.sweep import Swept, Tuned, sweep, tuned_replies
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.round import Round
from sparkdesk.engine.settings import GenerationSettings, SamplingSettings
from sparkdesk.errors import SparkDeskError
from sparkdesk.events import Notice, Progress
from sparkdesk.runner.protocol import Generate
from tests.scripted_engine import ScriptedEngine

STORY = (
    "Once there was a small spark that lived in an old desk. It knew how to count, how to wait, and how to guess the "
    "next word. Guessing well is only half of the art; the other half is checking. And so the spark guessed, and the "
    "desk checked, and together they were faster than either alone. "
)


@dataclass
class BenchScript:
    """What the fake does."""

    text: str = STORY
    plain_ms: float = 10.0
    acceptance: float = 0.8
    is_parked: bool = False
    is_paced: bool = False
    """Take the time that the rounds say they took."""
    is_gated: bool = False
    """Make a round only when `let` allows it."""
    crash_after_rounds: int | None = None
    """Of all replies together."""
    failure: SparkDeskError | None = None
    surprise: Exception | None = None
    judgement: Judgement = field(default_factory=lambda: Judgement("identical"))


@dataclass
class Words:
    """Says its script word by word; with speculation, up to four words a round."""

    script: BenchScript
    gate: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    rounds: int = 0

    def __call__(self, engine: ScriptedEngine, request: Generate) -> Generator[Round, None, str]:
        settings = request.settings
        words = [word.encode() for word in re.findall(r"\S+\s*", self.script.text)][: settings.max_tokens]
        chance = random.Random(3)
        is_first = True
        while words:
            self._wait_and_fail()
            done = self._round(chance, len(words), settings, is_first=is_first)
            is_first = False
            pieces, words = words[: len(done.tokens)], words[len(done.tokens) :]
            if self.script.is_paced:
                time.sleep(done.elapsed_ms / 1e3)
            yield replace(done, tokens=tuple(map(engine.token_of, pieces)))
        return "end"

    def _wait_and_fail(self) -> None:
        self.rounds += 1
        if self.script.is_gated:
            self.gate.acquire(timeout=20)
        if self.script.crash_after_rounds is not None and self.rounds > self.script.crash_after_rounds:
            if self.script.surprise is not None:
                raise self.script.surprise
            assert self.script.failure is not None
            raise self.script.failure

    def _round(self, chance: random.Random, words_left: int, settings: GenerationSettings, *, is_first: bool) -> Round:
        plain_ms = self.script.plain_ms
        if is_first:
            return Round((1,), (False,), is_first=True)
        if not settings.speculation.is_enabled or self.script.is_parked:
            return Round((1,), (False,), verify_ms=plain_ms, plain_ms_per_token=plain_ms)
        length = min(settings.speculation.draft_length or 3, words_left - 1)
        accepted = 0
        while accepted < length and chance.random() < self.script.acceptance:
            accepted += 1
        return Round(
            (1,) * (accepted + 1),
            (*(True,) * accepted, False),
            drafted=length,
            verified=length,
            accepted=accepted,
            confidences=(0.8,) * length,
            expected=(0.8,) * length,
            source="draft" if length else "",
            draft_ms=(0.2 + 0.05 * length) * plain_ms,
            absorb_ms=0.05 * plain_ms,
            verify_ms=(1.0 + 0.04 * length) * plain_ms,
            plain_ms_per_token=plain_ms,
        )


class FakeBench:
    """Satisfies ui.measuring.Bench."""

    sampling = SamplingSettings()

    def __init__(self, script: BenchScript, model: ModelInfo) -> None:
        self.script = script
        self.words = Words(script)
        self.model = model
        self.engine = ScriptedEngine(self.words, model, prefill_ms=20.0, is_lent=True)
        self.raced: list[tuple[str, RaceSettings]] = []
        self.ran: list[SuiteAsked] = []
        self.swept: list[SweepAsked] = []
        self.kept: list[KeptRun] = []
        self.is_measuring = False
        self.refusal: SparkDeskError | None = None
        """Raised before the first event, as while a reply is in the making."""

    def let(self, rounds: int) -> None:
        self.words.gate.release(rounds)

    def prompts(self) -> Sequence[Prompt]:
        return read_suite(TINY)

    def race(self, text: str, settings: RaceSettings) -> Iterator[RaceEvent]:
        if self.refusal is not None:
            raise self.refusal
        self.raced.append((text, settings))
        self.is_measuring = True
        try:
            prompt = Prompt(RACE_DOMAIN, RACE_DOMAIN, text)
            yield from race(self.engine, prompt, settings, render=_render, judge=self._judge)
        finally:
            self.is_measuring = False

    def run(self, asked: SuiteAsked) -> Iterator[Progress | Notice | Comparison]:
        self.ran.append(asked)
        prompts = interleaved(choose(self.prompts(), domains=asked.domains, per_domain=asked.per_domain))
        self.is_measuring = True
        try:
            settings = ComparisonSettings(max_tokens=asked.max_tokens)
            yield from compare_replies(self.engine, prompts, settings, render=_render, judge=self._judge)
        finally:
            self.is_measuring = False

    def sweep(self, asked: SweepAsked) -> Iterator[Progress | Notice | Swept | Tuned]:
        self.swept.append(asked)
        prompts = choose(self.prompts(), domains=asked.domains, per_domain=1)
        self.is_measuring = True
        try:
            yield from sweep(self.engine, prompts, max_tokens=asked.max_tokens, render=_render)
            yield from tuned_replies(self.engine, prompts, max_tokens=asked.max_tokens, render=_render)
        finally:
            self.is_measuring = False

    def keep(self, asked: SuiteAsked, comparisons: Sequence[Comparison], *, is_complete: bool) -> KeptRun:
        settings = RunSettings("sparkdesk bench run", TINY, 0.0, asked.max_tokens, None, 1)
        found = record(comparisons, settings=settings, model=self.model, files={}, is_complete=is_complete)
        self.kept.insert(0, KeptRun(Path(f"{len(self.kept)}.json"), datetime(2026, 1, 2, 3, 4 + len(self.kept)), found))
        return self.kept[0]

    def runs(self) -> Sequence[KeptRun]:
        return tuple(self.kept)

    def forget(self, run: KeptRun) -> None:
        self.kept.remove(run)

    def card(self, run: KeptRun) -> Iterator[Progress | CardMade]:
        yield Progress("Hashing the files", 1, 2, "bytes")
        made = card_of(run.found, {})
        yield CardMade(run, made, markdown(made))

    def save(self, made: CardMade, out: Path) -> Sequence[Path]:
        check_out(out)
        return write_card(made.card, out)

    def _judge(self, prompt: tuple[int, ...], plain: Reply, speculative: Reply) -> Judgement:
        return self.script.judgement


def _render(text: str) -> tuple[int, ...]:
    return tuple(map(ord, text))
