"""The engine of all tests that need none of llama.cpp: a character is a token, and a script says the replies.

It does what runner.client.EngineClient promises, and can fail in each way in which that one can. The scripts are in
tests/reply_scripts.py. Apart from it stand the backend of the screen's tests (tests/ui/fake_backend.py), which scripts
conversations, and the engine within a real child process (tests/runner/fake_child.py).
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.round import Prefilled, Round
from sparkdesk.engine.settings import GenerationSettings, SpeculationSettings
from sparkdesk.engine.special_text import LITERAL
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.errors import ContextFull, EngineClosed, EngineCrashed, EngineStalled, GrammarError
from sparkdesk.runner.protocol import Compared, Finished, Generate, Prefilling, RoundDone

CHATML = (
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)
START, END, BOS = 1_000_001, 1_000_002, 1_000_003
CHANNEL_OPEN, CHANNEL_CLOSE = 1_000_005, 1_000_006
CONTROL = {
    "<|im_start|>": START,
    "<|im_end|>": END,
    "<s>": BOS,
    "<|channel>": CHANNEL_OPEN,
    "<channel|>": CHANNEL_CLOSE,
}
HALF = 1_000_004
"""Half an "é"."""
MERGED = 2_000_000
"""2_000_000 + n stands for n letters "a" in one token; the tokenizer itself never uses it."""
BYTES = 3_000_000
"""3_000_000 + n stands for the n-th of the engine's own pieces."""

MODEL = ModelInfo(
    name="Scripted",
    architecture="fake",
    vocabulary_size=3_000_000,
    parameter_count=1,
    size_bytes=1,
    context_tokens=4096,
    trained_context_tokens=4096,
    chat_template=CHATML,
    bos_piece="",
    eos_piece="<|im_end|>",
    end_tokens=(END,),
    devices=("CPU",),
    gpu_layers=0,
    threads=1,
    draft_name="Draft",
    block_size=7,
)

Script = Callable[["ScriptedEngine", Generate], Generator[Round, None, str]]
"""Yields the rounds of the reply to a request, and returns the stop reason."""


@dataclass
class ScriptedEngine:
    """Serves one reply after the other, and records what it was asked."""

    script: Script
    model: ModelInfo | None = MODEL
    context_tokens: int | None = None
    """Prompts that fill it are refused; None takes any."""
    adds_bos: bool = False
    prefill_ms: float = 10.0
    prefill_step: int = 0
    """It tells how far it has read every so many tokens; 0 is only at the end."""
    round_s: float = 0.0
    """What a round takes."""
    margins: dict[tuple[int, int], Compared] = field(default_factory=dict)
    """The answers to `compare`; neighbors are nearly tied where it is empty."""
    forgets: bool = True
    """False keeps every prompt in the cache, whatever it is asked for."""
    knows_grammars: bool = True
    heeds_cancel: bool = True
    is_lent: bool = False
    """Whoever borrows it may read replies, and neither switch, cancel nor close it."""

    before_reply: Callable[[int], None] = lambda number: None
    """Called between the request for a reply and its beginning, with the number of replies before; may raise."""
    dies_at: str = ""
    """The engine dies when it comes to say this."""
    is_alive: bool = True
    is_stalled: bool = False
    gate: threading.Event = field(default_factory=threading.Event)
    """Rounds wait for it; it is open unless a test clears it."""

    requests: list[Generate] = field(default_factory=list)
    reused: list[int] = field(default_factory=list)
    """Tokens of each prompt that a real KV cache would have kept."""
    switches: list[SpeculationSettings] = field(default_factory=list)
    compared: list[tuple[tuple[int, ...], int, int]] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    cancelled: int = 0
    closed_early: int = 0
    """Replies whose events were not read to the end."""
    cache: tuple[int, ...] = ()
    pieces: list[bytes] = field(default_factory=list)
    """Of the tokens from BYTES on."""
    current: "ScriptedReply | None" = None
    """Of those that `generate` began, the last one."""

    def __post_init__(self) -> None:
        self.gate.set()

    @property
    def prompts(self) -> list[tuple[int, ...]]:
        return [each.tokens for each in self.requests]

    @property
    def texts(self) -> list[str]:
        """The prompts, control tokens spelled out."""
        return [self.text_of(each) for each in self.requests]

    def text_of(self, request: Generate) -> str:
        if max(request.tokens, default=0) < START:
            return "".join(map(chr, request.tokens))
        pieces = (self.piece(token, spells_control=True) for token in request.tokens)
        return b"".join(pieces).decode(errors="replace")

    @property
    def settings(self) -> list[GenerationSettings]:
        return [each.settings for each in self.requests]

    @property
    def is_cancelled(self) -> bool:
        return self.current is not None and self.current.is_cancelled

    def tokenize(self, text: str, parse_special: bool = True) -> tuple[int, ...]:
        """LITERAL within a control piece makes it text, as in the engine; the mark itself has no token."""
        if not self.is_alive:
            raise EngineCrashed("The engine died.", "Load it again.")
        bos = (BOS,) if self.adds_bos else ()
        if not parse_special or not any(piece in text for piece in CONTROL):
            return (*bos, *map(ord, text.replace(LITERAL, "")))
        tokens = list(bos)
        while text:
            if text.startswith(LITERAL):
                text = text[1:]
                continue
            control = next((piece for piece in CONTROL if text.startswith(piece)), None)
            tokens.append(CONTROL[control] if control else ord(text[0]))
            text = text[len(control) if control else 1 :]
        return tuple(tokens)

    def spell(self, tokens: Sequence[int]) -> tuple[bytes, ...]:
        if not self.is_alive:
            raise EngineCrashed("The engine died.", "Load it again.")
        return tuple(self.piece(token, spells_control=True) for token in tokens)

    def piece(self, token: int, *, spells_control: bool = False) -> bytes:
        if token == HALF:
            return "é".encode()[:1]
        if token >= BYTES:
            return self.pieces[token - BYTES]
        if token >= MERGED:
            return b"a" * (token - MERGED)
        if token in CONTROL.values():
            return next(text for text, number in CONTROL.items() if number == token).encode() if spells_control else b""
        return chr(token).encode()

    def token_of(self, piece: bytes) -> int:
        """A token with these bytes, which may be less than a character or more than one."""
        if piece not in self.pieces:
            self.pieces.append(piece)
        return BYTES + self.pieces.index(piece)

    def compare(self, tokens: Sequence[int], first: int, second: int) -> Compared:
        self.compared.append((tuple(tokens), first, second))
        if self.margins:
            return self.margins[first, second]
        return Compared(margin=0.01 if abs(first - second) == 1 else 5.0, noise=0.01)

    def generate(
        self,
        tokens: Sequence[int],
        settings: GenerationSettings,
        ignore_end: bool = False,
        spells_control: bool = False,
    ) -> Generator[Prefilling | RoundDone | Finished, None, None]:
        self.before_reply(len(self.requests))
        self.current = self.ask_for_reply(tokens, settings, ignore_end, spells_control)
        yield from self.current.events()

    def ask_for_reply(
        self,
        tokens: Sequence[int],
        settings: GenerationSettings,
        ignore_end: bool = False,
        spells_control: bool = False,
    ) -> "ScriptedReply":
        self.requests.append(Generate(tuple(tokens), settings, ignore_end, spells_control))
        return ScriptedReply(self, self.requests[-1])

    def set_speculation(self, settings: SpeculationSettings) -> None:
        assert not self.is_lent, "whoever borrows it says all beforehand"
        self.switches.append(settings)

    def cancel(self) -> None:
        """End the reply in progress; without one, nothing happens."""
        assert not self.is_lent, "closing the reply is enough"
        if self.current is not None:
            self.current.cancel()

    def close(self) -> None:
        assert not self.is_lent, "whoever opened it closes it"
        self.model, self.is_alive = None, False
        self.gate.set()

    def stall_ends(self) -> None:
        """As the real one ends a process that does not react."""
        self.is_alive = False
        self.gate.set()

    def reload(self) -> None:
        self.is_alive, self.is_stalled, self.dies_at = True, False, ""


class ScriptedReply:
    """A reply that has been asked for."""

    def __init__(self, engine: ScriptedEngine, request: Generate) -> None:
        self._engine, self._request = engine, request
        self.is_cancelled = False
        self.is_over = False

    def cancel(self) -> None:
        if not self.is_over:
            self.is_cancelled = True

    def events(self) -> Generator[Prefilling | RoundDone | Finished, None, None]:
        engine = self._engine
        engine.running += 1
        engine.most_running = max(engine.most_running, engine.running)
        try:
            yield from self._events()
        except GeneratorExit:
            engine.closed_early += 1
            raise
        finally:
            self.is_over = True
            engine.running -= 1
            engine.cancelled += self.is_cancelled

    def _events(self) -> Iterator[Prefilling | RoundDone | Finished]:
        engine, request, prompt = self._engine, self._request, self._request.tokens
        self._refuse()
        rounds, said = engine.script(engine, request), b""
        if request.settings.reads_afresh and engine.forgets:
            engine.cache = ()
        reused = shared(engine.cache, prompt)
        engine.reused.append(reused)
        engine.cache = prompt
        stats = ReplyStats(len(prompt), prefilled_tokens=len(prompt) - reused, prefill_ms=engine.prefill_ms)
        step = engine.prefill_step or len(prompt) + 1
        for done in (*range(step, len(prompt), step), len(prompt)):
            yield Prefilling(Prefilled(done, len(prompt), reused, engine.prefill_ms))
        while not self._is_ended:
            try:
                done = next(rounds)
            except StopIteration as stop:
                yield Finished(stop.value, stats)
                return
            self._wait()
            if self._is_ended:
                break
            pieces = tuple(engine.piece(token, spells_control=request.spells_control) for token in done.tokens)
            said += b"".join(pieces)
            if engine.dies_at and engine.dies_at in said.decode(errors="ignore"):
                engine.is_alive = False
                raise EngineCrashed("The engine died of SIGSEGV while answering.", "Load it again.")
            stats = stats.after(done)
            engine.cache += done.tokens
            top = tuple(tuple(map(engine.piece, each.top_tokens)) for each in done.logprobs)
            yield RoundDone(done, pieces, request.settings.speculation.is_enabled, top)
        yield Finished("cancelled", stats)

    @property
    def _is_ended(self) -> bool:
        return self.is_cancelled and self._engine.heeds_cancel

    def _refuse(self) -> None:
        engine, request = self._engine, self._request
        if engine.context_tokens is not None and len(request.tokens) >= engine.context_tokens:
            raise ContextFull(f"The prompt has {len(request.tokens)} tokens.")
        if request.settings.grammar is not None and not engine.knows_grammars:
            raise GrammarError("The grammar cannot be used.", "Ask for another.")

    def _wait(self) -> None:
        engine = self._engine
        engine.gate.wait()
        if engine.is_stalled:
            raise EngineStalled("The engine stalled.", "Load it again.")
        if not engine.is_alive:
            raise EngineClosed("The engine was closed.", "Load a model to go on.")
        time.sleep(engine.round_s)


def shared(ours: Sequence[int], theirs: Sequence[int]) -> int:
    """Length of the longest common prefix."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=False)))
