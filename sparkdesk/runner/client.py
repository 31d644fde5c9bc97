"""The desk's handle on the engine: starts its process, asks it, stops it, and says why it died.

All methods may be called from any thread. One reply at a time: a second waits for the reply in progress to end.
"""

import threading
import weakref
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import GenerationSettings, LoadSettings, SpeculationSettings
from sparkdesk.errors import EngineError, OutOfMemory
from sparkdesk.machine.child_processes import python_command
from sparkdesk.runner.crash import ProcessExit
from sparkdesk.runner.crash_fallback import WITHOUT_DRAFT, WITHOUT_REPACKING, Attempt, all_attempts_failed, attempts
from sparkdesk.runner.crash_memory import CrashMemory
from sparkdesk.runner.oom_fallback import is_out_of_memory, smaller_settings
from sparkdesk.runner.process import LEAVING_SECONDS, REPLACING_SECONDS, ChildProcess
from sparkdesk.runner.protocol import (
    Cancel,
    Compare,
    Compared,
    Finished,
    Generate,
    Load,
    Loaded,
    Loading,
    Prefilling,
    RoundDone,
    SetSpeculation,
    Spell,
    Spelled,
    Tokenize,
    Tokens,
)
from sparkdesk.runner.reply import Answer, Reply, expected

_PROGRESS_SECONDS = 0.4
"""While it loads, an event comes at least this often, so that whoever cancels between two events need not wait."""


class EngineClient:
    """The engine in a process of its own. `close` it, or use it in a `with`; the end of the program closes it too."""

    def __init__(
        self,
        *,
        machine_file: Path | None = None,
        tuner_folder: Path | None = None,
        child_command: Sequence[str] | None = None,
    ) -> None:
        """Without `machine_file` no crash is remembered, without `tuner_folder` nothing about the pairs."""
        self._machine_file = machine_file
        folder = (str(tuner_folder),) if tuner_folder is not None else ()
        self._command = child_command or python_command("sparkdesk.runner.child", *folder)
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix="spawner")
        self._spawner.submit(int)  # begins the thread now
        self._lock = threading.Lock()
        self._child: ChildProcess | None = None
        self._end_at_exit: weakref.finalize[[], EngineClient] | None = None
        self._close_count = 0
        self._previous_stderr = ""
        """Of the process that ended last: a load that failed leaves nothing else behind."""
        self._model: ModelInfo | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def model(self) -> ModelInfo | None:
        """What was loaded last; it stays known after a crash."""
        return self._model

    @property
    def is_alive(self) -> bool:
        child = self._child
        return self._model is not None and child is not None and child.is_alive

    @property
    def is_stalled(self) -> bool:
        """Whether its process lives and has not reacted for a while; it is ended and named when that goes on."""
        child = self._child
        return child is not None and child.is_stalled

    @property
    def stderr_tail(self) -> str:
        """The end of what the engine's process wrote to stderr, for a bug report."""
        child = self._child
        return (child.stderr_tail if child is not None else "") or self._previous_stderr

    def load(self, settings: LoadSettings) -> Generator[Loading | Loaded, None, None]:
        """Load a pair in a fresh process; `Loaded` comes last. Closing the iterator early ends the process.

        A crash is tried again more carefully, and too little memory with less; a Loading whose stage is a sentence
        says so.

        Raises ModelLoadError, OutOfMemory, EngineCrashed, or EngineError when `close` was called meanwhile.
        """
        self._end(REPLACING_SECONDS)
        attempt_id = self._close_count
        try:
            loaded = yield from self._load(settings, attempt_id)
        except BaseException:
            self.close()
            raise
        self._model = loaded.model
        yield loaded

    def end_replies_at(self, tokens: frozenset[int]) -> None:
        """Ends of a turn that the file of the loaded model does not name, such as its chat template's."""
        if self._model is not None:
            ends = frozenset(self._model.end_tokens) | tokens
            self._model = replace(self._model, end_tokens=tuple(sorted(ends)))

    def tokenize(self, text: str, parse_special: bool = True) -> tuple[int, ...]:
        return self._ask(Tokenize(text, parse_special), Tokens).tokens

    def spell(self, tokens: Sequence[int]) -> tuple[bytes, ...]:
        """The text of each token, control tokens spelled out."""
        return self._ask(Spell(tuple(tokens)), Spelled).pieces

    def compare(self, tokens: Sequence[int], first: int, second: int) -> Compared:
        """How sure the target is of `first` against `second` after these tokens."""
        return self._ask(Compare(tuple(tokens), first, second), Compared)

    def generate(
        self,
        tokens: Sequence[int],
        settings: GenerationSettings,
        ignore_end: bool = False,
        spells_control: bool = False,
    ) -> Generator[Prefilling | RoundDone | Finished, None, None]:
        """The reply as it comes, `Finished` last. Closing the iterator early, or Ctrl+C, cancels after the round."""
        reply = self.ask_for_reply(tokens, settings, ignore_end, spells_control)
        try:
            yield from reply.events()
        finally:
            reply.cancel()

    def ask_for_reply(
        self,
        tokens: Sequence[int],
        settings: GenerationSettings,
        ignore_end: bool = False,
        spells_control: bool = False,
    ) -> Reply:
        """The same as a handle, for whoever reads in one thread and may have to cancel in another.

        The question is asked when this returns, and takes its turn behind those asked before it.
        """
        if self._model is not None and not ignore_end:
            settings = replace(settings, stop_tokens=settings.stop_tokens | frozenset(self._model.end_tokens))
        return Reply(self._living_child(), Generate(tuple(tokens), settings, ignore_end, spells_control))

    def set_speculation(self, settings: SpeculationSettings) -> None:
        """From the next round on, for the reply in progress; later ones bring their own settings."""
        self._tell(SetSpeculation(settings))

    def cancel(self) -> None:
        """End the reply in progress after its current round, and those that wait; each still comes to `Finished`."""
        self._tell(Cancel())

    def close(self) -> None:
        """End the process within two seconds, whatever it is doing. May be called again, and from another thread."""
        self._end(LEAVING_SECONDS)

    def _end(self, timeout_s: float) -> None:
        with self._lock:
            self._close_count += 1
            child, self._child, self._model = self._child, None, None
            if self._end_at_exit is not None:
                self._end_at_exit.detach()
        if child is not None:
            child.end(timeout_s)
            self._previous_stderr = child.stderr_tail

    def _load(self, settings: LoadSettings, attempt_id: int) -> Generator[Loading, None, Loaded]:
        """As asked for; after a crash of the code's own making, in the ways that may help."""
        memory = CrashMemory(self._machine_file)
        needs_safe_buffers = settings.use_extra_buffers and memory.needs_safe_buffers
        failures: list[tuple[Attempt, ProcessExit]] = []
        for attempt in attempts(settings, needs_safe_buffers=needs_safe_buffers):
            if not attempt.may_help([failure for _, failure in failures]):
                continue
            if failures:
                yield Loading(attempt.notice(failures[-1][1]), 0.0)
            answer = yield from self._try_smaller(attempt.settings, attempt_id)
            if isinstance(answer, Loaded):
                if attempt.way == WITHOUT_REPACKING:
                    memory.remember_crash(failures[-1][1].signal_name)
                return _with_notes(answer, attempt, failures)
            if not answer.is_fault:
                raise answer.error()
            failures.append((attempt, answer))
        raise all_attempts_failed(failures)

    def _try_smaller(self, settings: LoadSettings, attempt_id: int) -> Generator[Loading, None, Loaded | ProcessExit]:
        """Load in a fresh process; when memory runs out, with less on the card or less context.

        Raises OutOfMemory where nothing helps: what was said about the load that was asked for.
        """
        first = answer = yield from self._try(settings, attempt_id)
        if is_out_of_memory(first):
            for smaller in smaller_settings(settings):
                yield Loading(smaller.notice, 0.0)
                answer = yield from self._try(smaller.settings, attempt_id)
                if isinstance(answer, Loaded):
                    return msgspec.structs.replace(answer, model=replace(answer.model, memory_note=smaller.note))
                if not is_out_of_memory(answer):
                    break
        if isinstance(first, OutOfMemory):
            raise first
        return first

    def _try(
        self, settings: LoadSettings, attempt_id: int
    ) -> Generator[Loading, None, Loaded | ProcessExit | OutOfMemory]:
        """Load in a fresh process; tells of its death, and of too little memory, instead of raising."""
        exchange = self._start(attempt_id).ask(Load.of(settings))
        latest = Loading("target", 0.0)
        while True:
            answer = exchange.answer_within(_PROGRESS_SECONDS) or latest
            if isinstance(answer, Loading):
                latest = answer
                yield answer
            elif isinstance(answer, ProcessExit):
                return answer
            else:
                try:
                    return expected(answer, Loaded)
                except OutOfMemory as error:
                    return error

    def _start(self, attempt_id: int) -> ChildProcess:
        with self._lock:
            if attempt_id != self._close_count:
                raise EngineError("The engine was closed while it was loading.", "Load a model to go on.")
            # A process has the priority of the thread that starts it: by now the screen's may be low.
            self._child = self._spawner.submit(ChildProcess, self._command).result()
            self._end_at_exit = weakref.finalize(self, self._child.end)
            return self._child

    def _living_child(self) -> ChildProcess:
        child = self._child
        if child is None or self._model is None:
            raise EngineError("No model is loaded.", "Load one first.")
        return child

    def _ask(self, request: Tokenize | Spell | Compare, kind: type[Answer]) -> Answer:
        return expected(self._living_child().ask(request).next_answer(), kind)

    def _tell(self, request: Cancel | SetSpeculation) -> None:
        child = self._child
        if child is not None:
            child.tell(request)


def _with_notes(loaded: Loaded, attempt: Attempt, failures: list[tuple[Attempt, ProcessExit]]) -> Loaded:
    """With what the user should know about the way it was loaded in the end."""
    model = replace(loaded.model, uses_safe_buffers=not attempt.settings.use_extra_buffers)
    if attempt.way == WITHOUT_DRAFT:
        model = replace(model, draft_problem=f"With the draft, the engine crashes. {failures[-1][1].sentence()}")
    return msgspec.structs.replace(loaded, model=model)
