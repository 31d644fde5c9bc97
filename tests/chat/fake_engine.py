"""An engine with scripted replies: a character is a token, but for a few control tokens and merged pieces."""

import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.round import Prefilled, Round
from sparkdesk.engine.settings import GenerationSettings, SpeculationSettings
from sparkdesk.engine.special_text import LITERAL
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.runner.protocol import Compared, Finished, Prefilling, RoundDone

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

Script = Callable[["FakeEngine", tuple[int, ...]], Generator[tuple[int, ...], None, str]]
"""Yields the tokens of each round and returns the stop reason."""


@dataclass
class FakeEngine:
    """Records what it was asked; `reused` tokens are those a real KV cache would have kept."""

    script: Script
    model: ModelInfo | None = MODEL
    adds_bos: bool = False
    margins: dict[tuple[int, int], Compared] = field(default_factory=dict)
    prompts: list[tuple[int, ...]] = field(default_factory=list)
    reused: list[int] = field(default_factory=list)
    switches: list[SpeculationSettings] = field(default_factory=list)
    compared: list[tuple[tuple[int, ...], int, int]] = field(default_factory=list)
    settings: GenerationSettings | None = None
    is_cancelled: bool = False
    closed_early: int = 0
    cache: tuple[int, ...] = ()
    pieces: list[bytes] = field(default_factory=list)
    """Of the tokens from BYTES on."""
    before_generate: Callable[[], None] = lambda: None
    """Called between the request for a reply and its beginning: what a second thread does in that gap."""

    def tokenize(self, text: str, parse_special: bool = True) -> tuple[int, ...]:
        """LITERAL within a control piece makes it text, as in the engine; the mark itself has no token."""
        tokens = [BOS] if self.adds_bos else []
        while text:
            if text.startswith(LITERAL):
                text = text[1:]
                continue
            control = next((piece for piece in CONTROL if text.startswith(piece)), None) if parse_special else None
            tokens.append(CONTROL[control] if control else ord(text[0]))
            text = text[len(control) if control else 1 :]
        return tuple(tokens)

    def generate(
        self,
        tokens: Sequence[int],
        settings: GenerationSettings,
        ignore_end: bool = False,
        spells_control: bool = False,
    ) -> Generator[Prefilling | RoundDone | Finished, None, None]:
        self.before_generate()
        self.is_cancelled = False
        self.settings = settings
        self.prompts.append(tuple(tokens))
        stats = ReplyStats(prompt_tokens=len(tokens))
        reused = shared(self.cache, self.prompts[-1])
        self.reused.append(reused)
        script = self.script(self, self.prompts[-1])
        try:
            yield Prefilling(Prefilled(len(tokens), len(tokens), reused, 1.0))
            while not self.is_cancelled:
                try:
                    made = next(script)
                except StopIteration as stop:
                    yield Finished(stop.value, stats)
                    return
                done = Round(made, (False,) * len(made))
                stats = replace(stats.after(done), plain_ms_per_token=7.0)
                self.cache = (*self.prompts[-1], *made)
                pieces = tuple(self.piece(token, spells_control=spells_control) for token in made)
                yield RoundDone(done, pieces, settings.speculation.is_enabled)
            yield Finished("cancelled", stats)
        except GeneratorExit:
            self.closed_early += 1
            raise

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

    def set_speculation(self, settings: SpeculationSettings) -> None:
        self.switches.append(settings)

    def close(self) -> None:
        self.model = None
        self.is_cancelled = True

    def cancel(self) -> None:
        self.is_cancelled = True

    def compare(self, tokens: Sequence[int], first: int, second: int) -> Compared:
        self.compared.append((tuple(tokens), first, second))
        return self.margins[first, second]


def saying(*texts: str, stop_reason: str = "end") -> Script:
    """Every reply is these texts, a round each."""

    def script(engine: FakeEngine, prompt: tuple[int, ...]) -> Generator[tuple[int, ...], None, str]:
        for text in texts:
            yield tuple(map(ord, text))
        return stop_reason

    return script


def writing(*tokens: int, stop_reason: str = "end") -> Script:
    """Every reply is these tokens, a round each."""

    def script(engine: FakeEngine, prompt: tuple[int, ...]) -> Generator[tuple[int, ...], None, str]:
        for token in tokens:
            yield (token,)
        return stop_reason

    return script


def writing_bytes(*rounds: Sequence[bytes], stop_reason: str = "end") -> Script:
    """Every reply is these tokens' bytes, round by round."""

    def script(engine: FakeEngine, prompt: tuple[int, ...]) -> Generator[tuple[int, ...], None, str]:
        for pieces in rounds:
            first = BYTES + len(engine.pieces)
            engine.pieces += pieces
            yield tuple(range(first, first + len(pieces)))
        return stop_reason

    return script


def failing(error: Exception, *texts: str) -> Script:
    """These texts, then the error."""

    def script(engine: FakeEngine, prompt: tuple[int, ...]) -> Generator[tuple[int, ...], None, str]:
        for text in texts:
            yield tuple(map(ord, text))
        raise error

    return script


def talking_on(began: threading.Event | None = None) -> Script:
    """Until cancelled."""

    def script(engine: FakeEngine, prompt: tuple[int, ...]) -> Generator[tuple[int, ...], None, str]:
        while True:
            yield (ord("x"),)
            if began is not None:
                began.set()

    return script


def shared(ours: tuple[int, ...], theirs: tuple[int, ...]) -> int:
    pairs = zip(ours, theirs, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(ours), len(theirs)))
