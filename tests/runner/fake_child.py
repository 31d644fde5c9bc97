"""A child process whose engine is scripted: the model's path says how loading goes, the first token how a reply goes.

Run by path, as the real child is run by name; the process boundary under test is the real one.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.round import Prefilled, Round
from sparkdesk.engine.settings import Control, GenerationSettings, LoadSettings
from sparkdesk.engine.stats import Outcome, ReplyStats
from sparkdesk.errors import ContextFull, ModelLoadError, OutOfMemory
from sparkdesk.runner.child import main
from sparkdesk.runner.service import LoadedPair, OnProgress

COMMAND = (sys.executable, "-P", str(Path(__file__)))

END_TOKEN = 0
COUNT = 1  # counts up from 100 to max_tokens, a token a round
SLOWLY = 2  # the same, a round every ROUND_SECONDS
KILLED = 3  # SIGKILL after three rounds
SEGFAULT = 4  # a real one, after three rounds
ABORT = 5  # as a failed assertion of llama.cpp does it, after three rounds
ABORT_IN_PREFILL = 6
FULL = 7  # ContextFull
BUG = 8  # an exception nobody expects
FOREVER_IN_PREFILL = 9
GARBAGE = 10  # half a line straight onto the wire
NOISE = 11  # a C library that prints to stdout, as often as it likes
ENDLESS = 12  # rounds as fast as they go, until cancelled
LONG_CALL = 13  # a call into a C library of LONG_CALL_SECONDS before the first round
CLOSED = 14  # closes its end of the wire after three rounds, and lives on

ROUND_SECONDS = 0.02
LONG_CALL_SECONDS = 4
ASSERTION = "/llama/ggml.c:1234: GGML_ASSERT(ne00 == 7) failed"

INFO = ModelInfo(
    name="Fake",
    architecture="fake",
    vocabulary_size=1000,
    parameter_count=1,
    size_bytes=1,
    context_tokens=512,
    trained_context_tokens=512,
    chat_template=None,
    bos_piece="",
    eos_piece="",
    end_tokens=(END_TOKEN,),
    devices=("CPU",),
    gpu_layers=0,
    threads=1,
    draft_name="Fake draft",
    block_size=7,
)


class FakePair:
    info = INFO

    def tokenize(self, text: str, parse_special: bool = True) -> tuple[int, ...]:
        return tuple(text.encode())

    def piece(self, token: int, *, show_control: bool = False) -> bytes:
        return b"<%d>" % token if show_control else bytes([token % 256])

    def compare(self, tokens: tuple[int, ...], first: int, second: int) -> tuple[float, float]:
        return float(first - second), 0.5

    def close(self) -> None:
        pass


class FakeEngine:
    def open(self, settings: LoadSettings, *, on_progress: OnProgress | None = None) -> LoadedPair:
        assert on_progress is not None
        on_progress("target", 0.0)
        how, _, log = settings.target_path.partition("@")
        if log:
            with Path(log).open("a") as file:
                print(f"pid {os.getpid()} extra buffers {settings.use_extra_buffers}", file=file)
        if how == "missing":
            raise ModelLoadError("There is no such file.", "Look again.")
        if how.startswith("room for "):
            check_room(int(how.split()[2]), settings, is_killed=how.endswith("killed"))
        if how == "long call":
            ctypes.CDLL(None).sleep(LONG_CALL_SECONDS)
        if how == "endless":
            time.sleep(600)
        if how == "many reports":
            for step in range(20_000):
                on_progress("target", step / 20_000)
        if how.startswith("warm-up "):
            on_progress("warm-up", 0.0)
            how = how.removeprefix("warm-up ")
        if how.startswith("SIG") and (settings.use_extra_buffers or how.endswith(" always")):
            die(how.removesuffix(" always"))
        if settings.draft_path == "crashing":
            on_progress("draft", 0.0)
            die("SIGABRT")
        on_progress("warm-up", 1.0)
        return FakePair()

    def generate(
        self, pair: LoadedPair, tokens: tuple[int, ...], settings: GenerationSettings, control: Control
    ) -> Iterator[Prefilled | Round | Outcome]:
        behaviour = tokens[0]
        if behaviour == FULL:
            raise ContextFull("The prompt has 9 tokens, the context holds 8.", "Shorten it.")
        if behaviour == ABORT_IN_PREFILL:
            die("SIGABRT")
        yield Prefilled(len(tokens), len(tokens), 0, 1.0)
        while behaviour == FOREVER_IN_PREFILL and not control.is_cancelled:
            time.sleep(ROUND_SECONDS)
        if behaviour == LONG_CALL:
            ctypes.CDLL(None).sleep(LONG_CALL_SECONDS)
        yield from rounds(behaviour, settings, control)


def check_room(tokens: int, settings: LoadSettings, *, is_killed: bool) -> None:
    if settings.context_tokens > tokens and is_killed:
        die("SIGKILL")
    if settings.context_tokens > tokens:
        raise OutOfMemory(f"No room for {settings.context_tokens} tokens.", "Try a shorter context.")


def rounds(behaviour: int, settings: GenerationSettings, control: Control) -> Iterator[Round | Outcome]:
    stats = ReplyStats(prompt_tokens=1)
    limit = settings.max_tokens or 10**9
    while not control.is_cancelled and stats.generated < limit:
        speculation = control.speculation  # once a round, at its beginning, as the real loop does
        if stats.generated == 3:
            after_three(behaviour)
        if behaviour == SLOWLY:
            time.sleep(ROUND_SECONDS)
        token = 100 + stats.generated % 100
        done = Round((token,), (speculation.is_enabled,), drafted=speculation.draft_length or 0)
        stats = stats.after(done)
        yield done
        if behaviour == END_TOKEN and END_TOKEN in settings.stop_tokens:
            yield Outcome("end", stats)
            return
    yield Outcome("cancelled" if control.is_cancelled else "length", stats)


def after_three(behaviour: int) -> None:
    signals = {KILLED: "SIGKILL", SEGFAULT: "SIGSEGV", ABORT: "SIGABRT"}
    if behaviour in signals:
        die(signals[behaviour])
    if behaviour == BUG:
        raise KeyError("a bug")
    if behaviour == NOISE:
        library = ctypes.CDLL(None)
        library.puts(b"printed by a C library")
        library.fflush(None)
        os.write(1, b"and past its buffers")
    if behaviour == CLOSED:
        os.close(wire_descriptor())
        time.sleep(600)
    if behaviour == GARBAGE:
        os.write(wire_descriptor(), b'{"type":"RoundDo')
        os._exit(0)


def wire_descriptor() -> int:
    """The highest pipe is the copy that `main` made of stdout."""
    pipes = [fd for fd in range(3, 64) if os.path.exists(f"/proc/self/fd/{fd}") and is_pipe(fd)]
    return max(pipes)


def is_pipe(descriptor: int) -> bool:
    return os.readlink(f"/proc/self/fd/{descriptor}").startswith("pipe:")


def die(signal_name: str) -> None:
    if signal_name == "SIGSEGV":
        ctypes.string_at(0)
    if signal_name == "SIGABRT":
        os.write(2, ASSERTION.encode() + b"\n")
        os.abort()
    os.kill(os.getpid(), getattr(signal, signal_name))
    time.sleep(10)


if __name__ == "__main__":
    main(FakeEngine())
