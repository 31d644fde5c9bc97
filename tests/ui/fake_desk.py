"""A desk without an engine: scripted replies at a pace of choice, and every way in which the real one can fail."""

import random
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sparkdesk.chat.events import PrefillAdvanced, ReplyAdvanced, ReplyBroken, ReplyEvent, ReplyFinished
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.round import Round
from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.errors import SparkDeskError
from sparkdesk.events import Notice, Progress
from sparkdesk.ui.desk import OpenEvent
from sparkdesk.ui.examples import DEMO_EXAMPLES

MODEL = ModelInfo(
    name="Spark Tiny",
    architecture="qwen3",
    vocabulary_size=2048,
    parameter_count=3_100_000,
    size_bytes=6_400_000,
    context_tokens=4096,
    trained_context_tokens=4096,
    chat_template=None,
    bos_piece="",
    eos_piece="",
    end_tokens=(2,),
    devices=("CPU",),
    gpu_layers=0,
    threads=2,
    draft_name="Spark Tiny DSpark",
    block_size=7,
)

STORY = """Once there was a **small spark** that lived in an old desk. It knew three things:

1. how to count,
2. how to wait,
3. how to guess the next word.

One day it wrote a little function:

```python
def add_seven(number: int) -> int:
    # The desk was proud of this one.
    return number + 7
```

> Guessing well is only *half* of the art; the other half is checking.

And so the spark guessed, and the desk checked, and together they were faster than either alone.
"""


@dataclass
class Script:
    """What the fake does."""

    text: str = STORY
    crash_after_rounds: int | None = None
    cause: str = "The engine died of SIGABRT: GGML_ASSERT(ne00 % 32 == 0) failed"
    surprise: Exception | None = None
    """Raised out of a reply, as a bug would be."""
    refusal: SparkDeskError | None = None
    """Raised before the first event of a reply."""
    open_error: SparkDeskError | None = None
    """Raised by the first opening only."""
    open_events: tuple[OpenEvent, ...] = (Progress("Loading the target", 1, 1, ""),)
    open_pause_s: float = 0.0
    plain_ms: float = 3.4
    is_paced: bool = False
    """Take the time that the rounds say they took."""
    is_gated: bool = False
    """Make a round only when `let` allows it."""
    acceptance: tuple[float, ...] = (0.88, 0.8, 0.74, 0.66, 0.6, 0.5, 0.42)
    auto_lengths: tuple[int, ...] = (5,)
    """What the scheduler chooses, round by round and over again."""
    parked_rounds: range = range(0)
    """Rounds for which it parks speculation."""
    parked_gain: float = 0.926
    """What it expects of drafting there."""
    echo_every: int = 0
    """Verify repeated text in every so many rounds; 0 is never."""


@dataclass
class FakeConversation:
    script: Script
    speculation: SpeculationSettings = field(default_factory=SpeculationSettings)
    sent: list[str] = field(default_factory=list)
    switched: list[SpeculationSettings] = field(default_factory=list)
    cleared: int = 0
    is_over: threading.Event = field(default_factory=threading.Event)
    """Set when a reply's iterator has ended, however it did."""
    has_draft: bool = True
    _stopped: threading.Event = field(default_factory=threading.Event)
    _gate: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _context: int = 0

    def let(self, rounds: int) -> None:
        self._gate.release(rounds)

    def stop(self) -> None:
        self._stopped.set()
        self._gate.release(1)

    def set_speculation(self, is_enabled: bool, draft_length: int | None) -> None:
        self.switched.append(SpeculationSettings(is_enabled, draft_length))
        if self.has_draft:
            self.speculation = self.switched[-1]

    def clear(self) -> None:
        self.cleared += 1
        self._context = 0

    def reply(self, text: str) -> Iterator[ReplyEvent]:
        if self.script.refusal:
            raise self.script.refusal
        self.sent.append(text)
        self._stopped.clear()
        self.is_over.clear()
        try:
            yield from self._rounds(self._context + 3 * len(text.split()) + 12)
        finally:
            self.is_over.set()

    def _rounds(self, prompt_tokens: int) -> Iterator[ReplyEvent]:
        yield PrefillAdvanced(prompt_tokens, prompt_tokens, self._context)
        chance = random.Random(7)
        words = re.findall(r"\s*\S+|\s+", self.script.text)
        stats = ReplyStats(prompt_tokens=prompt_tokens, prefilled_tokens=prompt_tokens - self._context, prefill_ms=20)
        said = ""
        while words and not self._stopped.is_set():
            if self.script.is_gated:
                self._gate.acquire()
            if self._stopped.is_set():
                break
            if stats.rounds == self.script.crash_after_rounds:
                yield ReplyBroken(said, self.script.cause, "", needs_reload=True)
                return
            if self.script.surprise and stats.rounds == 3:
                raise self.script.surprise
            done = self._round(chance, len(words), stats.rounds, is_first=not said)
            if self.script.is_paced:
                time.sleep(done.elapsed_ms / 1e3)
            piece = "".join(words[: len(done.tokens)])
            del words[: len(done.tokens)]
            said += piece
            stats = stats.after(done)
            yield ReplyAdvanced(piece, done, stats, self.speculation.is_enabled)
        self._context = prompt_tokens + stats.generated
        reason = "cancelled" if words else "end"
        yield ReplyFinished(said, tuple(range(stats.generated)), reason, stats)

    def _round(self, chance: random.Random, words_left: int, number: int, *, is_first: bool) -> Round:
        plain_ms = self.script.plain_ms
        if is_first:
            return Round((1,), (False,), is_first=True, plain_ms_per_token=plain_ms)
        wobble = chance.uniform(0.85, 1.2)
        plain = Round((1,), (False,), verify_ms=plain_ms * wobble, other_ms=0.05, plain_ms_per_token=plain_ms)
        if not self.speculation.is_enabled:
            return plain
        if self.speculation.is_tuned and number in self.script.parked_rounds:
            even = replace(plain, verify_ms=plain_ms - plain.other_ms)
            return replace(even, is_parked=True, expected_gain=self.script.parked_gain)
        if self.speculation.is_tuned and self.script.echo_every and number % self.script.echo_every == 1:
            return self._echo(plain, min(6, words_left - 1))
        lengths = self.script.auto_lengths
        length = self.speculation.draft_length or lengths[number % len(lengths)]
        accepted = 0
        while accepted < min(length, words_left - 1) and chance.random() < self.script.acceptance[accepted]:
            accepted += 1
        return Round(
            tokens=tuple(range(accepted + 1)),
            is_drafted=(*(True,) * accepted, False),
            drafted=length,
            verified=length,
            accepted=accepted,
            source="draft",
            draft_ms=(0.3 + 0.04 * length) * plain_ms * wobble,
            absorb_ms=0.08 * plain_ms,
            verify_ms=(1.1 + 0.05 * length) * plain_ms * wobble,
            other_ms=0.12 * plain_ms,
            plain_ms_per_token=plain_ms,
        )

    def _echo(self, plain: Round, accepted: int) -> Round:
        """Eight tokens of repeated text, most of them right."""
        return replace(
            plain,
            tokens=tuple(range(accepted + 1)),
            is_drafted=(*(True,) * accepted, False),
            verified=8,
            accepted=accepted,
            source="context",
        )


class FakeDesk:
    """Opens at once unless the script says otherwise."""

    name = "Spark Tiny"
    examples = DEMO_EXAMPLES

    def __init__(self, script: Script | None = None, *, model: ModelInfo = MODEL) -> None:
        self.script = script or Script()
        has_draft = model.draft_name is not None
        self.conversation = FakeConversation(self.script, SpeculationSettings(has_draft), has_draft=has_draft)
        self.speculation = SpeculationSettings()
        self.model: ModelInfo | None = None
        self.opened = 0
        self.reloaded = 0
        self.closed = 0
        self.undone = 0
        self._loaded = model
        self._is_closing = threading.Event()

    def open(self) -> Iterator[OpenEvent]:
        self.opened += 1
        try:
            for event in self.script.open_events:
                yield event
                self._is_closing.wait(self.script.open_pause_s)
        except GeneratorExit:
            self.undone += 1
            raise
        if self.script.open_error and self.opened == 1:
            raise self.script.open_error
        self.model = self._loaded

    def reload(self) -> Iterator[OpenEvent]:
        self.reloaded += 1
        self.script.crash_after_rounds = None
        self.script.surprise = None
        yield from self.open()

    def close(self) -> None:
        self.closed += 1
        self._is_closing.set()
        self.conversation.stop()


def slow_opening(steps: int = 40) -> tuple[OpenEvent, ...]:
    """A first run: two conversions and a load."""
    conversions = [
        Progress(name, done, steps, "tensors", 40.0)
        for name in ("Converting the target", "Converting the draft")
        for done in range(steps + 1)
    ]
    loading = [Progress("Loading the target", done, steps, "") for done in range(steps + 1)]
    return (*conversions, Notice("This machine has no GPU that llama.cpp was built for; using 2 threads."), *loading)


def with_problem(problem: str) -> ModelInfo:
    return replace(MODEL, draft_name=None, block_size=0, draft_problem=problem)
