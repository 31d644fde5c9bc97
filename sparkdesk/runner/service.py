"""Answers the desk's requests with one engine, one after the other; knows neither pipes nor processes.

`receive` is called by the thread that reads requests, `run` by the thread that works. A Cancel acts at once on the
reply it names, running or waiting, and a SetSpeculation on every reply asked for before it; the choice of speculation
is not kept for later replies, because each Generate brings its own. Text is cut into tokens at once too, so that
whoever counts tokens need not wait for a reply to end.
"""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Protocol

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.round import Prefilled, Round
from sparkdesk.engine.settings import Control, GenerationSettings, LoadSettings
from sparkdesk.engine.stats import Outcome
from sparkdesk.errors import EngineError, SparkDeskError, UsageError
from sparkdesk.runner.protocol import (
    Cancel,
    Compare,
    Compared,
    Failed,
    Finished,
    Generate,
    Load,
    Loaded,
    Loading,
    Prefilling,
    Request,
    Response,
    RoundDone,
    SetSpeculation,
    Shutdown,
    Spell,
    Spelled,
    Tokenize,
    Tokens,
)

_LONG_CHARACTERS = 50_000
_LAST_USE_S = 0.5
PROGRESS_INTERVAL_S = 0.05
"""llama.cpp reports its progress once a tensor; a screen needs twenty a second."""

Send = Callable[[Response, int], None]
"""Takes an answer and the id of its request."""
Answering = Callable[[Response], None]
OnProgress = Callable[[str, float], None]


class LoadedPair(Protocol):
    """What is served once a target, and perhaps its draft, is in memory."""

    @property
    def info(self) -> ModelInfo: ...
    def tokenize(self, text: str, parse_special: bool = True) -> tuple[int, ...]: ...
    def piece(self, token: int, *, show_control: bool = False) -> bytes: ...
    def compare(self, tokens: tuple[int, ...], first: int, second: int) -> tuple[float, float]: ...
    def close(self) -> None: ...


class PairEngine(Protocol):
    """What opens a pair and lets it speak."""

    def open(self, settings: LoadSettings, *, on_progress: OnProgress | None = None) -> LoadedPair: ...
    def generate(
        self, pair: LoadedPair, tokens: tuple[int, ...], settings: GenerationSettings, control: Control
    ) -> Iterator[Prefilled | Round | Outcome]: ...


class Service:
    """The requests that wait, the pair that is loaded, and the replies not yet finished."""

    def __init__(self, engine: PairEngine, send: Send) -> None:
        self._engine = engine
        self._send = send
        self._pair: LoadedPair | None = None
        self._pair_use = threading.Condition()
        self._uses = 0
        """Texts that are cut into tokens now, beside a reply."""
        self._is_replacing = False
        self._waiting: queue.SimpleQueue[tuple[Request | SparkDeskError, int, Control | None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._unfinished: list[tuple[int, Control]] = []

    def receive(self, request: Request, request_id: int) -> None:
        """Take a request; what concerns replies already asked for acts now, the rest waits its turn."""
        control = None
        with self._lock:
            match request:
                case Cancel(chosen):
                    self._cancel(chosen)
                case Shutdown():
                    self._cancel(0)
                case SetSpeculation(settings):
                    for _, unfinished in self._unfinished:
                        unfinished.speculation = settings
                case Generate():
                    control = Control(request.settings.speculation)
                    self._unfinished.append((request_id, control))
                case _:
                    pass
        if isinstance(request, Tokenize | Spell) and self._tokenize_now(request, request_id):
            return
        if not isinstance(request, Cancel | SetSpeculation):
            self._waiting.put((request, request_id, control))

    def refuse(self, error: SparkDeskError, request_id: int) -> None:
        """Answer, in its turn, a request that could not be read."""
        self._waiting.put((error, request_id, None))

    def run(self) -> None:
        """Serve until Shutdown; every request but that one is answered, at the latest by Failed."""
        try:
            while True:
                request, request_id, control = self._waiting.get()
                if isinstance(request, Shutdown):
                    return
                self._serve(request, self._answering(request_id), control)
        finally:
            with self._pair_use:
                is_free = self._pair_use.wait_for(lambda: self._uses == 0, _LAST_USE_S)
            if self._pair is not None and is_free:  # else the end of the process is its end too
                self._pair.close()

    def _answering(self, request_id: int) -> Answering:
        return lambda response: self._send(response, request_id)

    def _cancel(self, chosen: int) -> None:
        for request_id, unfinished in self._unfinished:
            if chosen in (0, request_id):
                unfinished.is_cancelled = True

    def _tokenize_now(self, request: Tokenize | Spell, request_id: int) -> bool:
        """False where no pair is loaded yet, or one is being replaced: then it waits its turn.

        A long text takes seconds; in a thread of its own it keeps neither short ones nor a Cancel waiting.
        """
        if not self._begin_use():
            return False
        if isinstance(request, Tokenize) and len(request.text) > _LONG_CHARACTERS:
            threading.Thread(target=self._tokenize, args=(request, request_id), daemon=True, name="long text").start()
        else:
            self._tokenize(request, request_id)
        return True

    def _tokenize(self, request: Tokenize | Spell, request_id: int) -> None:
        try:
            self._serve(request, self._answering(request_id), None)
        finally:
            with self._pair_use:
                self._uses -= 1
                self._pair_use.notify_all()

    def _begin_use(self) -> bool:
        """Of the pair, beside a reply; it is not closed meanwhile."""
        with self._pair_use:
            if self._is_replacing or self._pair is None:
                return False
            self._uses += 1
            return True

    @contextlib.contextmanager
    def _replacing(self) -> Iterator[None]:
        with self._pair_use:
            self._is_replacing = True
            self._pair_use.wait_for(lambda: self._uses == 0)
        try:
            yield
        finally:
            with self._pair_use:
                self._is_replacing = False

    def _serve(self, request: Request | SparkDeskError, reply: Answering, control: Control | None) -> None:
        try:
            if isinstance(request, SparkDeskError):
                raise request
            self._answer(request, reply, control)
        except SparkDeskError as error:
            reply(Failed(type(error).__name__, error.message, error.hint))
        except MemoryError:
            reply(Failed("OutOfMemory", "The engine ran out of memory.", "Choose a shorter context (--ctx)."))
        except Exception as error:  # a bug of ours must reach the user as an answer, not as silence
            reply(Failed("EngineError", f"The engine failed unexpectedly ({type(error).__name__}: {error})."))
        finally:
            if control is not None:
                with self._lock:
                    self._unfinished = [each for each in self._unfinished if each[1] is not control]

    def _answer(self, request: Request, reply: Answering, control: Control | None) -> None:
        match request:
            case Load():
                self._load(request.settings, reply)
            case Tokenize(text, parse_special):
                reply(Tokens(self._loaded().tokenize(text, parse_special)))
            case Spell(tokens):
                reply(Spelled(_spelled(self._loaded(), tokens)))
            case Compare(tokens, first, second):
                reply(Compared(*self._loaded().compare(tokens, first, second)))
            case Generate() if control is not None:
                self._generate(request, reply, control)
            case _:
                raise EngineError(f"The engine cannot answer {type(request).__name__}.")

    def _loaded(self) -> LoadedPair:
        if self._pair is None:
            raise EngineError("No model is loaded.", "Load one first.")
        return self._pair

    def _load(self, settings: LoadSettings, reply: Answering) -> None:
        with self._replacing():
            if self._pair is not None:
                self._pair.close()
                self._pair = None
            began = perf_counter()
            self._pair = self._engine.open(settings, on_progress=_spaced(reply))
            reply(Loaded(self._pair.info, load_ms=1e3 * (perf_counter() - began)))

    def _generate(self, request: Generate, reply: Answering, control: Control) -> None:
        pair = self._loaded()
        settings = request.settings
        if not request.ignore_end:
            settings = replace(settings, stop_tokens=settings.stop_tokens | frozenset(pair.info.end_tokens))
        events = self._engine.generate(pair, request.tokens, settings, control)
        piece = partial(pair.piece, show_control=request.spells_control)
        for response in _responses(pair, events, control, piece):
            reply(response)


def _responses(
    pair: LoadedPair,
    events: Iterator[Prefilled | Round | Outcome],
    control: Control,
    piece: Callable[[int], bytes],
) -> Iterator[Prefilling | RoundDone | Finished]:
    while True:
        # Read before the round begins, as the loop does: the switch may be thrown while the round is under way.
        is_speculating = control.speculation.is_enabled  # without a draft by prompt lookup
        match next(events, None):
            case Prefilled() as progress:
                yield Prefilling(progress)
            case Round() as done:
                yield RoundDone(done, tuple(map(piece, done.tokens)), is_speculating, _top_pieces(pair, done))
            case Outcome(stop_reason, stats):
                yield Finished(stop_reason, stats)
            case None:
                return


def _spelled(pair: LoadedPair, tokens: tuple[int, ...]) -> tuple[bytes, ...]:
    """llama.cpp does not check what it is given."""
    if not all(0 <= token < pair.info.vocabulary_size for token in tokens):
        raise UsageError(f"The vocabulary has tokens from 0 to {pair.info.vocabulary_size - 1} only.")
    return tuple(pair.piece(token, show_control=True) for token in tokens)


def _top_pieces(pair: LoadedPair, done: Round) -> tuple[tuple[bytes, ...], ...]:
    return tuple(tuple(pair.piece(token, show_control=True) for token in each.top_tokens) for each in done.logprobs)


def _spaced(reply: Answering) -> OnProgress:
    """Pass on each new stage, each end of a stage, and otherwise one report per interval."""
    last_stage, last_sent_s = "", 0.0

    def on_progress(stage: str, fraction: float) -> None:
        nonlocal last_stage, last_sent_s
        now_s = perf_counter()
        if stage != last_stage or fraction >= 1.0 or now_s - last_sent_s >= PROGRESS_INTERVAL_S:
            last_stage, last_sent_s = stage, now_s
            reply(Loading(stage, fraction))

    return on_progress
