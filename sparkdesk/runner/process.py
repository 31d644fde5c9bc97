"""One child process and the messages to and from it; knows nothing of models.

Every request gets an Exchange and a number of its own, and every answer carries that number. So an exchange may be
abandoned at any moment, and the next request still reads only its own answers. Threads of this module do all the
reading and writing: a Ctrl+C in the main thread never tears a message apart, nobody who asks waits for a child that
does not listen, and a child that dies wakes whoever waits for it. So does one that stops: it must say something every
second, and is ended where it does not.
"""

import contextlib
import itertools
import os
import platform
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from sparkdesk.machine.child_processes import safe_environment
from sparkdesk.runner import wire
from sparkdesk.runner.crash import LOADING_TARGET, ProcessExit
from sparkdesk.runner.protocol import (
    Alive,
    Compare,
    Generate,
    Load,
    Loading,
    Prefilling,
    Request,
    Response,
    RoundDone,
    Shutdown,
    Spell,
    Tokenize,
)

_GOMP_SPINS, _GOMP_SPINS_WITHOUT_PAUSE = 1_000, 10_000
"""Looks at the barrier before a thread sleeps, some tens of microseconds: x86 pauses between two, others do not."""
_X86 = ("x86_64", "AMD64", "i386", "i686")
_KMP_BLOCKTIME_MS = 1
"""LLVM's libomp counts in milliseconds, and 0 would put threads to sleep at every barrier."""
_USER_DECIDES = {
    "GOMP_SPINCOUNT": ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"),
    "KMP_BLOCKTIME": ("KMP_BLOCKTIME", "OMP_WAIT_POLICY", "KMP_LIBRARY"),
}


def child_environment(given: Mapping[str, str] = os.environ, *, architecture: str = "") -> dict[str, str]:
    """`given` without its secrets, and with our defaults for what it leaves open."""
    defaults = {"GGML_NO_BACKTRACE": "1"}  # its debugger run takes seconds and says nothing to a user
    defaults |= bounded_spin(given, architecture=architecture)
    return {**defaults, **safe_environment(given)}


def bounded_spin(given: Mapping[str, str], *, architecture: str = "") -> dict[str, str]:
    """The variables that bound the spin, without those on which the user has decided already."""
    is_x86 = (architecture or platform.machine()) in _X86
    wanted = {
        "GOMP_SPINCOUNT": str(_GOMP_SPINS if is_x86 else _GOMP_SPINS_WITHOUT_PAUSE),
        "KMP_BLOCKTIME": str(_KMP_BLOCKTIME_MS),
    }
    return {name: value for name, value in wanted.items() if not any(each in given for each in _USER_DECIDES[name])}


STDERR_TAIL_BYTES = 8192
POLITE_SECONDS = 0.8
"""For what ends by itself, as an idle child does that is told to go."""
_ABRUPT_SECONDS = 0.3
"""For a process that was sent SIGTERM, which only one that is stopped does not obey."""
LEAVING_SECONDS = 0.8
"""For one that was sent SIGKILL, when nobody needs its memory: it may go on giving that back on its own."""
REPLACING_SECONDS = 10.0
"""The same, when another model is to take its place."""
_TICK_SECONDS = 0.5
NAMED_SECONDS = 3.0
"""A child that says nothing for so long is called stalled; one that works says something every second."""
STALLED_SECONDS = 15.0
"""And is ended after so long."""
STALLED_LOADING_SECONDS = 30.0
"""The same while it loads: a graphics driver may hold Python's lock while it starts."""
_PARTIAL = (Loading, Prefilling, RoundDone)
_STAGES = {"target": LOADING_TARGET, "draft": "loading the draft", "warm-up": "warming up"}
_ACTIVITIES: dict[type[Request], str] = {
    Load: LOADING_TARGET,
    Generate: "reading the prompt",
    Tokenize: "cutting text into tokens",
    Spell: "spelling tokens",
    Compare: "comparing two tokens",
}


class Exchange:
    """One request's answers, as they come in."""

    def __init__(self, request: Request, request_id: int) -> None:
        self.request_id = request_id
        self.activity = _ACTIVITIES.get(type(request), "working")
        self.is_loading = isinstance(request, Load)
        self.is_over = False
        self._answers: queue.SimpleQueue[Response | ProcessExit] = queue.SimpleQueue()

    def put(self, answer: Response | ProcessExit) -> None:
        if isinstance(answer, RoundDone):
            self.activity = "answering"
        elif isinstance(answer, Loading):
            self.activity = _STAGES.get(answer.stage, answer.stage)
        self.is_over = not isinstance(answer, _PARTIAL)
        self._answers.put(answer)

    def next_answer(self) -> Response | ProcessExit:
        """Waits for it. A ProcessExit is the last there is, and comes at the latest when the child is given up."""
        return self._answers.get()

    def answer_within(self, seconds: float) -> Response | ProcessExit | None:
        """Waits only so long."""
        try:
            return self._answers.get(timeout=seconds)
        except queue.Empty:
            return None


class ChildProcess:
    """Started by the constructor, ended by `end`, which may come from any thread."""

    def __init__(self, command: Sequence[str]) -> None:
        pipe = subprocess.PIPE
        environment = child_environment()
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
        self._lock = threading.Lock()
        self._pending: dict[int, Exchange] = {}  # the oldest first
        self._numbers = itertools.count(1)
        self._is_ending = False
        self._exit: ProcessExit | None = None
        self._is_over = threading.Event()
        self._stderr_tail = b""
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._silent_s = 0.0
        self._stalled_s = 0.0
        """How long it had said nothing when it was ended for that."""
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin and stdout and stderr
        _start(lambda: self._write(stdin))
        self._stderr_reader = _start(lambda: self._read_stderr(stderr))
        _start(lambda: self._read(stdout))
        _start(self._watch)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._exit is None

    @property
    def is_stalled(self) -> bool:
        """Whether it lives and has said nothing for a while."""
        return self.is_alive and self._silent_s >= NAMED_SECONDS

    @property
    def stderr_tail(self) -> str:
        """The end of what the child wrote to stderr; neither prompts nor replies are ever written there."""
        return self._stderr_tail.decode("utf-8", "replace")

    def ask(self, request: Request) -> Exchange:
        """Send a request that will be answered."""
        exchange = Exchange(request, next(self._numbers))
        frame = wire.encode(request, exchange.request_id)
        with self._lock:
            if self._exit is not None:
                exchange.put(self._exit)
            else:
                self._pending[exchange.request_id] = exchange
                self._outgoing.put(frame)
        return exchange

    def tell(self, request: Request) -> None:
        """Send a request that has no answer."""
        self._outgoing.put(wire.encode(request))

    def end(self, timeout_s: float = LEAVING_SECONDS) -> None:
        """Ask an idle child to go, and make a busy one: in two seconds, whatever the child does.

        `timeout_s` is for the system to take back what the process held.
        """
        with self._lock:
            self._is_ending = True
            is_idle = not self._pending
        if is_idle and self.is_alive and self._silent_s < NAMED_SECONDS:
            self.tell(Shutdown())
            self._is_over.wait(POLITE_SECONDS)
        if self.is_alive:
            self._process.terminate()
            self._is_over.wait(_ABRUPT_SECONDS)
        self._kill(timeout_s)

    def _kill(self, timeout_s: float) -> None:
        """A process that even SIGKILL does not end, because a driver holds it in the kernel, is given up."""
        if self.is_alive:
            self._process.kill()
            self._is_over.wait(timeout_s)
        if self.is_alive:
            self._finish(-signal.SIGKILL)

    def _write(self, stdin: IO[bytes]) -> None:
        with contextlib.suppress(OSError):  # it is dead: `_read` says so to whoever waits
            while (frame := self._outgoing.get()) is not None:
                stdin.write(frame)
                stdin.flush()
        with contextlib.suppress(OSError):  # what was not sent any more
            stdin.close()

    def _read_stderr(self, stderr: IO[bytes]) -> None:
        with stderr:
            while chunk := os.read(stderr.fileno(), STDERR_TAIL_BYTES):
                self._stderr_tail = (self._stderr_tail + chunk)[-STDERR_TAIL_BYTES:]

    def _read(self, stdout: IO[bytes]) -> None:
        garbage = ""
        with stdout:
            try:
                while (answer := wire.read_response(stdout)) is not None:
                    self._silent_s = 0.0
                    self._deliver(*answer)
            except wire.WireError as error:
                garbage = error.message
                self._process.kill()
        self._finish(self._exit_code(), garbage)

    def _watch(self) -> None:
        """Counts its own waking up rather than a clock: while the desk itself is stopped, no child is to blame."""
        while not self._is_over.wait(_TICK_SECONDS):
            self._silent_s += _TICK_SECONDS
            with self._lock:
                is_loading = any(exchange.is_loading for exchange in self._pending.values())
            if self._silent_s >= (STALLED_LOADING_SECONDS if is_loading else STALLED_SECONDS):
                self._stalled_s = self._silent_s
                self._kill(REPLACING_SECONDS)

    def _deliver(self, request_id: int, response: Response) -> None:
        if isinstance(response, Alive):
            return
        with self._lock:
            exchange = self._pending.get(request_id)
            if exchange is None:
                raise wire.WireError(f"{type(response).__name__}, which nobody asked for")
            exchange.put(response)
            if exchange.is_over:
                del self._pending[request_id]

    def _finish(self, exit_code: int, garbage: str = "") -> None:
        """Tell everybody who waits how it ended. The second of two calls changes nothing."""
        self._stderr_reader.join(_ABRUPT_SECONDS)
        with self._lock:
            if self._exit is None:
                activity = next((exchange.activity for exchange in self._pending.values()), "")
                self._exit = ProcessExit(
                    exit_code,
                    activity,
                    self.stderr_tail,
                    was_requested=self._is_ending and not garbage,
                    garbage=garbage,
                    stalled_s=self._stalled_s,
                )
            for exchange in self._pending.values():
                exchange.put(self._exit)
            self._pending.clear()
        self._outgoing.put(None)
        self._is_over.set()

    def _exit_code(self) -> int:
        """Of a process that has closed its end of the wire; one that lives on without it is ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(POLITE_SECONDS)
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(REPLACING_SECONDS)
        return -signal.SIGKILL


def _start(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
