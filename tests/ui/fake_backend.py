"""A desk without an engine: scripted replies at a pace of choice, and every way in which the real one can fail."""

import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sparkdesk.chat.attribution import Attribution, mark_of
from sparkdesk.chat.events import ContextTrimmed, PrefillAdvanced, ReplyAdvanced, ReplyBroken, ReplyEvent, ReplyFinished
from sparkdesk.chat.history.kept import title_of
from sparkdesk.chat.history.memory import MemoryHistory
from sparkdesk.chat.messages import Attachment, Branch, Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.summary import Count
from sparkdesk.chat.trace import Trace
from sparkdesk.chat.tree import MessageTree
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.round import Round
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.errors import SparkDeskError
from sparkdesk.events import Notice, Progress, Report
from sparkdesk.loading.choice import DEMO_EXAMPLES

if TYPE_CHECKING:
    from tests.ui.fake_bench import BenchScript, FakeBench
    from tests.ui.fake_models import FakeModels

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

THINKING = SamplingSettings(temperature=0.6, top_p=0.95)
"""What is recommended for thinking."""

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
    fills_context: bool = False
    """Replies end because the context is full."""
    crash_after_rounds: int | None = None
    cause: str = "The engine died of SIGABRT: GGML_ASSERT(ne00 % 32 == 0) failed"
    surprise: Exception | None = None
    """Raised out of a reply, as a bug would be."""
    refusal: SparkDeskError | None = None
    """Raised before the first event of a reply."""
    open_error: SparkDeskError | None = None
    """Raised by the first opening only."""
    switch_error: SparkDeskError | None = None
    """Raised by changing to another pair, before the old one is given up."""
    open_events: tuple[Report, ...] = (Progress("Loading the target", 1, 1, ""),)
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
    expected_gain: float = 2.1
    """What it expects where it drafts."""
    left_out: int = 0
    """Messages at the beginning that no longer fit the context."""
    not_kept: str = ""
    """Why the history takes nothing."""
    lookup_every: int = 0
    """Verify repeated text in every so many rounds; 0 is never."""


@dataclass
class FakeConversation:
    """Keeps what is said as the real one does; its replies are the script's."""

    script: Script
    speculation: SpeculationSettings = field(default_factory=SpeculationSettings)
    history: MemoryHistory = field(default_factory=MemoryHistory)
    tree: MessageTree = field(default_factory=MessageTree)
    key: int | None = None
    own_title: str = ""
    chosen: ChatSettings = field(default_factory=ChatSettings)
    sent: list[str] = field(default_factory=list)
    switched: list[SpeculationSettings] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)
    """Set when a reply's iterator has ended, however it did."""
    has_draft: bool = True
    is_server: bool = False
    """Tells nothing of how it decodes."""
    was_abandoned: bool = False
    _stopped: threading.Event = field(default_factory=threading.Event)
    _gate: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _context: int = 0
    _trace: Trace = field(default_factory=Trace)

    @property
    def title(self) -> str:
        return self.own_title or title_of(self.tree)

    @property
    def messages(self) -> tuple[Message, ...]:
        return self.tree.messages

    @property
    def not_kept(self) -> str:
        return self.script.not_kept

    @property
    def left_out(self) -> int:
        return self.script.left_out

    @property
    def settings(self) -> ChatSettings:
        return replace(self.chosen, speculation=self.speculation)

    def set_settings(self, settings: ChatSettings) -> None:
        self.chosen = settings
        if self.key is not None:
            self.history.keep(self.key, self.tree, self.settings)

    def branch(self, index: int) -> Branch:
        return self.tree.branch(index)

    def switch_branch(self, index: int, step: int) -> None:
        self.tree.switch(index, step)

    def count(self, text: str, attachments: Sequence[Attachment] = ()) -> Count:
        words = len(text.split()) + sum(len(each.text.split()) for each in attachments)
        said = sum(len(message.content.split()) for message in self.messages)
        return Count(said + words + 12, words, 4096, self.script.left_out)

    def let(self, rounds: int) -> None:
        self._gate.release(rounds)

    def stop(self) -> None:
        self._stopped.set()
        self._gate.release(1)

    def abandon(self) -> None:
        self.was_abandoned = True
        self.stop()

    def set_speculation(self, is_enabled: bool, draft_length: int | None) -> None:
        self.switched.append(SpeculationSettings(is_enabled, draft_length))
        self.speculation = self.switched[-1]

    def reply(self, text: str, attachments: Sequence[Attachment] = ()) -> Iterator[ReplyEvent]:
        user = Message("user", text, attachments=tuple(attachments))
        return self._answer(text, lambda: self.tree.add(user, self.tree.last))

    def edit(self, index: int, text: str) -> Iterator[ReplyEvent]:
        number = self.tree.shown[index]
        user = replace(self.tree.message(number), content=text)
        return self._answer(text, lambda: self.tree.add(user, self.tree.parent(number)))

    def regenerate(self) -> Iterator[ReplyEvent]:
        asked = next(n for n in reversed(self.tree.shown) if self.tree.message(n).role == "user")
        return self._answer(self.tree.message(asked).content, lambda: asked)

    def go_on(self) -> Iterator[ReplyEvent]:
        last = self.tree.last
        assert last is not None
        return self._answer("", lambda: last, grows=last)

    def _answer(self, text: str, ask: Callable[[], int], *, grows: int | None = None) -> Iterator[ReplyEvent]:
        if self.script.refusal:
            raise self.script.refusal
        self.sent.append(text)
        self._stopped.clear()
        self.is_over.clear()
        begun = self.tree.message(grows).content if grows is not None else ""
        asked = ask()
        self.key = self.history.keep(self.key, self.tree, self.settings)
        try:
            if self.script.left_out:
                yield ContextTrimmed(self.script.left_out)
            for event in self._rounds(self._context + 3 * len(text.split()) + 12, begun):
                if isinstance(event, ReplyFinished | ReplyBroken):
                    self._keep(event, asked, grows=grows)
                yield event
        finally:
            self.is_over.set()

    def _keep(self, event: ReplyFinished | ReplyBroken, asked: int, *, grows: int | None) -> None:
        stats = event.stats if isinstance(event, ReplyFinished) else None
        if grows is None and stats is not None and not stats.generated:
            return  # stopped before its first word
        cause = event.cause if isinstance(event, ReplyBroken) else ""
        is_stopped = stats is None or (isinstance(event, ReplyFinished) and event.stop_reason == "cancelled")
        note = cause or ("Stopped." if is_stopped else "")
        answer = Message(
            "assistant",
            event.text,
            is_stopped,
            stats,
            note,
            trace=self._trace if grows is None else None,
            model=MODEL.name,
        )
        if grows is None:
            self.tree.add(answer, asked)
        else:
            self.tree.replace(grows, answer)
        self.key = self.history.keep(self.key, self.tree, self.settings)

    def _rounds(self, prompt_tokens: int, begun: str) -> Iterator[ReplyEvent]:
        yield PrefillAdvanced(prompt_tokens, prompt_tokens, self._context)
        chance = random.Random(7)
        words = re.findall(r"\s*\S+|\s+", self.script.text)
        stats = ReplyStats(prompt_tokens=prompt_tokens, prefilled_tokens=prompt_tokens - self._context, prefill_ms=20)
        said, attribution = begun, Attribution()
        self._trace = Trace()
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
            done = self._round(chance, len(words), stats.rounds, is_first=said == begun)
            if self.script.is_paced:
                time.sleep(done.elapsed_ms / 1e3)
            pieces = words[: len(done.tokens)]
            piece = "".join(pieces)
            del words[: len(done.tokens)]
            said += piece
            stats = stats.after(done)
            is_speculating = self.speculation.is_enabled and not self.is_server
            attribution.add([each.encode() for each in pieces], done)
            stretches = attribution.take(len(piece))
            mark = mark_of(done, is_speculating=is_speculating)
            self._trace = Trace(self._trace.stretches + stretches, (*self._trace.rounds, mark))
            if self.is_server:
                stretches, self._trace = (), Trace((), (*self._trace.rounds[:-1], mark))
            yield ReplyAdvanced(piece, done, stats, is_speculating, stretches)
        self._context = prompt_tokens + stats.generated
        reason = "cancelled" if words else "context" if self.script.fills_context else "end"
        yield ReplyFinished(said, tuple(range(stats.generated)), reason, stats)

    def _round(self, chance: random.Random, words_left: int, number: int, *, is_first: bool) -> Round:
        plain_ms = 0.0 if self.is_server else self.script.plain_ms
        if is_first:
            return Round((1,), (False,), is_first=True, plain_ms_per_token=plain_ms)
        wobble = chance.uniform(0.85, 1.2)
        plain = Round((1,), (False,), verify_ms=plain_ms * wobble, other_ms=0.05, plain_ms_per_token=plain_ms)
        if not self.speculation.is_enabled:
            return plain
        if self.speculation.is_tuned and number in self.script.parked_rounds:
            even = replace(plain, verify_ms=plain_ms - plain.other_ms)
            return replace(even, is_parked=True, expected_gain=self.script.parked_gain)
        if self.speculation.is_tuned and self.script.lookup_every and number % self.script.lookup_every == 1:
            return self._lookup(plain, min(6, words_left - 1))
        if not self.has_draft:
            return plain
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
            expected_gain=self.script.expected_gain if self.speculation.is_tuned else 0.0,
            draft_ms=(0.3 + 0.04 * length) * plain_ms * wobble,
            absorb_ms=0.08 * plain_ms,
            verify_ms=(1.1 + 0.05 * length) * plain_ms * wobble,
            other_ms=0.12 * plain_ms,
            plain_ms_per_token=plain_ms,
        )

    def _lookup(self, plain: Round, accepted: int) -> Round:
        """Eight tokens of repeated text, most of them right."""
        return replace(
            plain,
            tokens=tuple(range(accepted + 1)),
            is_drafted=(*(True,) * accepted, False),
            verified=8,
            accepted=accepted,
            source="context",
        )


class FakeBackend:
    """Opens at once unless the script says otherwise."""

    name = "Spark Tiny"
    examples = DEMO_EXAMPLES

    def __init__(
        self, script: Script | None = None, *, model: ModelInfo = MODEL, bench: "BenchScript | None" = None
    ) -> None:
        self.script = script or Script()
        has_draft = model.draft_name is not None
        self.conversation = FakeConversation(self.script, has_draft=has_draft)
        self.history = self.conversation.history
        self.started = 0
        self.switches: list[str] = []
        self.speculation = SpeculationSettings()
        self.model: ModelInfo | None = None
        self.opened = 0
        self.reloaded = 0
        self.closed = 0
        self.undone = 0
        self._loaded = model
        self._is_closing = threading.Event()
        self._bench_script = bench

    is_stalled = False

    @property
    def is_measuring(self) -> bool:
        return "bench" in self.__dict__ and self.bench.is_measuring

    # These two bring numpy, and the start of the screen is tested to do without.

    @cached_property
    def models(self) -> "FakeModels":
        from tests.ui.fake_models import FakeModels

        return FakeModels()

    @cached_property
    def bench(self) -> "FakeBench":
        from tests.ui.fake_bench import BenchScript, FakeBench

        return FakeBench(self._bench_script or BenchScript(), self._loaded)

    @property
    def recommended(self) -> SamplingSettings:
        return THINKING if self.conversation.chosen.is_thinking else SamplingSettings()

    def load(self) -> Iterator[Report]:
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

    def reload(self) -> Iterator[Report]:
        self.reloaded += 1
        self.script.crash_after_rounds = None
        self.script.surprise = None
        yield from self.load()

    def start_conversation(self) -> FakeConversation:
        self.started += 1
        self._take(FakeConversation(self.script, chosen=self.conversation.chosen))
        return self.conversation

    def open_conversation(self, key: int) -> FakeConversation:
        kept = self.history.read(key)
        self._take(FakeConversation(self.script, tree=kept.tree, key=key, own_title=kept.title, chosen=kept.settings))
        return self.conversation

    def _take(self, other: FakeConversation) -> None:
        before, self.conversation = self.conversation, other
        other.history, other.speculation, other.has_draft = self.history, before.speculation, before.has_draft
        other.switched = before.switched

    def switch(self, pair: str) -> Iterator[Report]:
        self.switches.append(pair)
        if self.script.switch_error:
            raise self.script.switch_error
        yield from self.load()
        self.model = replace(self._loaded, name=pair)

    @property
    def engine_words(self) -> str:
        return f"llama_model_load: error loading {Path.home()}/models/spark.gguf\n"

    def close(self) -> None:
        self.closed += 1
        self._is_closing.set()
        self.conversation.stop()


def slow_opening(steps: int = 40) -> tuple[Report, ...]:
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


def with_history(desk: FakeBackend) -> FakeBackend:
    """Conversations of the last months; the newest is open."""
    stats = ReplyStats(generated=120, rounds=40, verified=150, accepted=80, verify_ms=900, plain_ms_per_token=20)
    now = datetime.now(UTC)
    for days, title in enumerate(("A sonnet", "Why is the sky blue?", "Refactor the parser", "Shopping", "Names")):
        tree = MessageTree()
        for turn in range(3):
            words = title if not turn else f"And then ({turn})?"
            answer = Message("assistant", STORY, stats=stats, model=MODEL.name)
            tree.add(answer, tree.add(Message("user", words), tree.last))
        key = desk.history.keep(None, tree, ChatSettings())
        assert key is not None
        desk.history._entries[key].changed_at = now - timedelta(days=days**3 / 2, minutes=7)
        if not days:
            desk.open_conversation(key)
    return desk
