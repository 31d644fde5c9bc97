"""One child process and the lines to and from it; knows nothing of models.

Every request gets an Exchange and a number of its own, and every answer carries that number. So an exchange may be
abandoned at any moment, and the next request still reads only its own answers. Threads of this module do all the
reading: a Ctrl+C in the main thread never tears a line apart, and a child that dies wakes whoever waits for it.
"""

import contextlib
import itertools
import os
import queue
import subprocess
import threading
from collections.abc import Sequence
from typing import IO

from sparkdesk.runner import wire
from sparkdesk.runner.child_environment import child_environment
from sparkdesk.runner.crash import LOADING_TARGET, ProcessExit
from sparkdesk.runner.protocol import (
    Compare,
    Generate,
    Load,
    Loading,
    Prefilling,
    Request,
    Response,
    RoundDone,
    Shutdown,
    Tokenize,
)

LAST_WORDS_BYTES = 8192
POLITE_SECONDS = 1.0
_PARTIAL = (Loading, Prefilling, RoundDone)
_STAGES = {"target": LOADING_TARGET, "draft": "loading the draft", "warm-up": "warming up"}
_ACTIVITIES: dict[type[Request], str] = {
    Load: LOADING_TARGET,
    Generate: "reading the prompt",
    Tokenize: "cutting text into tokens",
    Compare: "comparing two tokens",
}


class Exchange:
    """One request's answers, as they come in."""

    def __init__(self, request: Request, request_id: int) -> None:
        self.request_id = request_id
        self.activity = _ACTIVITIES.get(type(request), "working")
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
        """Waits for it. A Death is the last there is."""
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
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=child_environment())
        self._write_lock = threading.Lock()
        self._lock = threading.Lock()
        self._pending: dict[int, Exchange] = {}  # the oldest first
        self._numbers = itertools.count(1)
        self._is_ending = False
        self._death: ProcessExit | None = None
        self._last_words = b""
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._requests = self._process.stdin
        self._overhearing = _thread(self._overhear, self._process.stderr)
        self._listening = _thread(self._listen, self._process.stdout)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._death is None

    @property
    def last_words(self) -> str:
        """The end of what the child wrote to stderr; neither prompts nor replies are ever written there."""
        return self._last_words.decode("utf-8", "replace")

    def ask(self, request: Request) -> Exchange:
        """Send a request that will be answered."""
        exchange = Exchange(request, next(self._numbers))
        with self._write_lock:
            with self._lock:
                if self._death is not None:
                    exchange.put(self._death)
                    return exchange
                self._pending[exchange.request_id] = exchange
            self._write(request, exchange.request_id)
        return exchange

    def tell(self, request: Request) -> None:
        """Send a request that has no answer."""
        with self._write_lock:
            self._write(request)

    def end(self) -> None:
        """Ask an idle child to go, and make a busy one."""
        with self._lock:
            self._is_ending = True
            is_idle = not self._pending
        if is_idle and self.is_alive:
            self.tell(Shutdown())
            self._wait(POLITE_SECONDS)
        self._process.terminate()
        if not self._wait(POLITE_SECONDS):
            self._process.kill()
        self._listening.join()
        with contextlib.suppress(OSError):  # what was not sent any more
            self._requests.close()

    def _wait(self, timeout_s: float) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        return self._process.poll() is not None

    def _write(self, request: Request, request_id: int = 0) -> None:
        try:
            self._requests.write(wire.encode(request, request_id))
            self._requests.flush()
        except (OSError, ValueError):
            return  # it is dead or closed: `_listen` says so to whoever waits
        except BaseException:  # interrupted in mid-line: the rest of the line can no longer be sent
            self._process.kill()
            raise

    def _overhear(self, stderr: IO[bytes]) -> None:
        with stderr:
            while chunk := os.read(stderr.fileno(), LAST_WORDS_BYTES):
                self._last_words = (self._last_words + chunk)[-LAST_WORDS_BYTES:]

    def _listen(self, responses: IO[bytes]) -> None:
        garbage = ""
        with responses:
            for line in responses:
                try:
                    self._deliver(*wire.decode_response(line))
                except wire.WireError as error:
                    garbage = error.message
                    self._process.kill()
                    break
        self._bury(garbage)

    def _deliver(self, request_id: int, response: Response) -> None:
        with self._lock:
            exchange = self._pending.get(request_id)
            if exchange is None:
                raise wire.WireError(f"{type(response).__name__}, which nobody asked for")
            exchange.put(response)
            if exchange.is_over:
                del self._pending[request_id]

    def _bury(self, garbage: str) -> None:
        exit_code = self._process.wait()
        self._overhearing.join(POLITE_SECONDS)
        with self._lock:
            activity = next((exchange.activity for exchange in self._pending.values()), "")
            self._death = ProcessExit(
                exit_code, activity, self.last_words, was_asked=self._is_ending and not garbage, garbage=garbage
            )
            for exchange in self._pending.values():
                exchange.put(self._death)
            self._pending.clear()


def _thread(target: object, stream: IO[bytes]) -> threading.Thread:
    thread = threading.Thread(target=target, args=(stream,), daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread
