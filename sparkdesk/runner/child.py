"""The engine's child process: `python -m sparkdesk.runner.child [LEARNT_FOLDER]`.

Messages come on stdin and go to stdout, framed by `wire`.

The descriptors of the wire are private copies; descriptor 1 is pointed at stderr, so nothing that a C library prints
can get between two messages. When the parent goes away, stdin ends and the process is gone at once, in mid-decode too.
"""

import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, NoReturn

from sparkdesk.engine.round import Prefilled, Round
from sparkdesk.engine.settings import Control, GenerationSettings, LoadSettings
from sparkdesk.engine.stats import Outcome
from sparkdesk.runner import wire
from sparkdesk.runner.protocol import Alive, Request, Response
from sparkdesk.runner.service import LoadedPair, OnProgress, PairEngine, Service
from sparkdesk.runner.tuner_state import TunerState

HEARTBEAT_SECONDS = 1.0


class LlamaEngine:
    """The real engine, imported only when a model is loaded: llama.cpp prints and reads devices at import."""

    def __init__(self, learned: TunerState) -> None:
        self._learned = learned

    def open(self, settings: LoadSettings, *, on_progress: OnProgress | None = None) -> LoadedPair:
        from sparkdesk.engine.pair import Pair

        return Pair.open(settings, on_progress=on_progress, recall=partial(self._learned.recall, settings))

    def generate(
        self, pair: LoadedPair, tokens: tuple[int, ...], settings: GenerationSettings, control: Control
    ) -> Iterator[Prefilled | Round | Outcome]:
        from sparkdesk.engine.pair import Pair
        from sparkdesk.engine.speculate import generate

        assert isinstance(pair, Pair)
        yield from generate(pair, tokens, settings, control)
        self._learned.remember(pair.settings, pair.info, pair.state())


def main(engine: PairEngine) -> NoReturn:
    """Serve the parent until it says Shutdown or goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the whole terminal; the desk answers it with Cancel
    faulthandler.enable()  # the last words of a crash then say which call it was
    requests, responses = _claim_wire()
    send = _Sender(responses)
    service = Service(engine, send)
    threading.Thread(target=_read, args=(requests, service), name="requests", daemon=True).start()
    threading.Thread(target=_say_alive, args=(send,), name="heartbeat", daemon=True).start()
    service.run()
    # Past the interpreter's own teardown, where a library's destructors may hang; the pair is closed already.
    os._exit(0)


def _claim_wire() -> tuple[BinaryIO, BinaryIO]:
    requests, responses = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(requests, "rb"), os.fdopen(responses, "wb", buffering=0)


def _read(requests: BinaryIO, service: Service) -> None:
    try:
        while (message := _next(requests, service)) is not None:
            request_id, request = message
            service.receive(request, request_id)
    finally:
        os._exit(0)  # the parent is gone: nobody wants the rest


def _next(requests: BinaryIO, service: Service) -> tuple[int, Request] | None:
    """The next request that can be read. One whose bytes are wrong is answered; where even the frame is, it is over."""
    while True:
        try:
            return wire.read_request(requests)
        except wire.WireError as error:
            if not error.request_id:
                return None
            service.refuse(error, error.request_id)


def _say_alive(send: "_Sender") -> None:
    """llama.cpp's calls let other threads of Python run, so this goes on through a long prefill or load."""
    while True:
        send(Alive(), 0)
        time.sleep(HEARTBEAT_SECONDS)


class _Sender:
    """Writes answers of all threads, one whole message at a time."""

    def __init__(self, responses: BinaryIO) -> None:
        self._responses, self._lock = responses, threading.Lock()

    def __call__(self, response: Response, request_id: int) -> None:
        rest = memoryview(wire.encode(response, request_id))
        try:
            with self._lock:
                while rest:
                    rest = rest[self._responses.write(rest) :]
        except BrokenPipeError:
            os._exit(0)


if __name__ == "__main__":
    main(LlamaEngine(TunerState(Path(sys.argv[1]) if len(sys.argv) > 1 else None)))
