"""An engine that says what a script tells it to: a character is a token, and a round a few of them."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.round import Prefilled, Round, TokenLogprobs
from sparkdesk.engine.settings import GenerationSettings
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.errors import EngineCrashed, EngineError, EngineStalled, GrammarError
from sparkdesk.runner.protocol import Finished, Prefilling, RoundDone

TEMPLATE = (
    "{%- if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>{% endif -%}"
    "{%- for message in messages %}<|{{ message.role }}|>{{ message.content }}"
    "{%- for call in message.tool_calls or [] %}<tool_call>{{ call.function.name }} "
    "{{ call.function.arguments if call.function.arguments is string else call.function.arguments | tojson }}"
    "</tool_call>{% endfor %}{% endfor %}<|assistant|>"
)
END = 0x10FFFF
MODEL = ModelInfo(
    name="Scripted",
    architecture="fake",
    vocabulary_size=0x110000,
    parameter_count=1,
    size_bytes=1,
    context_tokens=200_000,
    trained_context_tokens=200_000,
    chat_template=TEMPLATE,
    bos_piece="",
    eos_piece="",
    end_tokens=(END,),
    devices=("CPU",),
    gpu_layers=0,
    threads=1,
    draft_name="Draft",
    block_size=7,
)

Say = Callable[[str, GenerationSettings], str]
"""What to answer a prompt."""


@dataclass
class ScriptedEngine:
    """Serves one reply after the other, as the real one does; tells when two would run at once."""

    say: Say
    model: ModelInfo | None = MODEL
    round_size: int = 3
    round_s: float = 0.0
    is_alive: bool = True
    is_stalled: bool = False
    prompts: list[str] = field(default_factory=list)
    settings: list[GenerationSettings] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    cancelled: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    """Rounds wait for it."""
    knows_grammars: bool = True
    encode: Callable[[str], bytes] = str.encode
    """A token's bytes."""
    reused: int = 0
    """Tokens of the prompt that it has in its cache."""
    prefill_step: int = 0
    """Tells how far it has read every so many tokens; 0: only at the end."""
    dies_at: str = ""
    """The engine dies when it comes to say this."""

    def __post_init__(self) -> None:
        self.gate.set()

    def tokenize(self, text: str, parse_special: bool = True) -> tuple[int, ...]:
        if not self.is_alive:
            raise EngineCrashed("The engine died.", "Load it again.")
        return tuple(map(ord, text))

    def ask_for_reply(
        self,
        tokens: Sequence[int],
        settings: GenerationSettings,
        ignore_end: bool = False,
        spells_control: bool = False,
    ) -> "ScriptedReply":
        prompt = "".join(map(chr, tokens))
        self.prompts.append(prompt)
        self.settings.append(settings)
        return ScriptedReply(self, prompt, settings)

    def close(self) -> None:
        self.is_alive = False
        self.gate.set()

    def stall_ends(self) -> None:
        """As the real one ends a process that does not react."""
        self.is_alive = False
        self.gate.set()

    def reload(self) -> None:
        self.is_alive, self.is_stalled, self.dies_at = True, False, ""


class ScriptedReply:
    def __init__(self, engine: ScriptedEngine, prompt: str, settings: GenerationSettings) -> None:
        self._engine, self._prompt, self._settings = engine, prompt, settings
        self._is_cancelled = False
        self._is_over = False

    def cancel(self) -> None:
        if not self._is_over:
            self._is_cancelled = True

    def events(self) -> Iterator[Prefilling | RoundDone | Finished]:
        engine = self._engine
        engine.running += 1
        engine.most_running = max(engine.most_running, engine.running)
        try:
            yield from self._events()
        finally:
            self._is_over = True
            engine.running -= 1
            engine.cancelled += self._is_cancelled

    def _events(self) -> Iterator[Prefilling | RoundDone | Finished]:
        engine, settings = self._engine, self._settings
        if settings.grammar is not None and not engine.knows_grammars:
            raise GrammarError("The grammar cannot be used.", "RequestOptions for another.")
        text = engine.say(self._prompt, settings)
        count = len(self._prompt)
        for read in range(engine.prefill_step or count, count, engine.prefill_step or count):
            yield Prefilling(Prefilled(read, count, engine.reused, 0.5))
        yield Prefilling(Prefilled(count, count, engine.reused, 1.0))
        stats = ReplyStats(prompt_tokens=count)
        said = text[: settings.max_tokens] if settings.max_tokens else text
        for start in range(0, len(said), engine.round_size):
            engine.gate.wait()
            if engine.is_stalled:
                raise EngineStalled("The engine stalled.", "Load it again.")
            if not engine.is_alive:
                raise EngineError("The engine was closed.", "Load a model to go on.")
            time.sleep(engine.round_s)
            if self._is_cancelled:
                yield Finished("cancelled", stats)
                return
            piece = said[start : start + engine.round_size]
            if engine.dies_at and engine.dies_at in said[: start + len(piece)]:
                engine.is_alive = False
                raise EngineCrashed("The engine died of SIGSEGV while answering.", "Load it again.")
            done = self._round(piece, is_first=start == 0)
            stats = stats.after(done)
            yield RoundDone(done, tuple(map(engine.encode, piece)), True, self._top(piece))
        yield Finished("length" if len(said) < len(text) else "end", stats)

    def _round(self, piece: str, *, is_first: bool) -> Round:
        drafted = 0 if is_first else len(piece) - 1
        done = Round(
            tuple(map(ord, piece)),
            (True,) * drafted + (False,) * (len(piece) - drafted),
            drafted=drafted,
            verified=drafted,
            accepted=drafted,
            verify_ms=1.0,
            is_first=is_first,
        )
        top = self._settings.top_logprobs
        if top is None:
            return done
        return replace(
            done, likelihoods=tuple(TokenLogprobs(-0.5, (ord(each),) * top, (-0.5,) * top) for each in piece)
        )

    def _top(self, piece: str) -> tuple[tuple[bytes, ...], ...]:
        top = self._settings.top_logprobs
        return () if top is None else tuple((each.encode(),) * top for each in piece)
