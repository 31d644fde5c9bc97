"""Replies from a server, as a conversation wants them. A thread of its own reads, so that stopping never waits."""

import queue
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from time import perf_counter
from typing import Any

from sparkdesk.chat.events import ContextTrimmed, PrefillAdvanced
from sparkdesk.chat.messages import Message
from sparkdesk.chat.responder import PromptEvent
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.summary import Count
from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.errors import ContextFull, EngineCrashed, EngineError, SparkDeskError
from sparkdesk.remote.client import Server
from sparkdesk.remote.dialect import SPARKDESK, VLLM, ServedModel
from sparkdesk.remote.payload import chat_payload
from sparkdesk.remote.reply import RemoteReply

_MOST_WAITING = 1000
"""Chunks that were read and not shown yet."""
_POLL_SECONDS = 0.1
"""How long stopping may go unnoticed."""


class RemoteResponder:
    """Satisfies chat.responder.Responder."""

    def __init__(self, server: Server, model: ServedModel, *, on_loss: Callable[[], None] = lambda: None) -> None:
        """`on_loss` is called when the server cannot be reached any more."""
        self._server, self._model, self._on_loss = server, model, on_loss
        self._stopped = threading.Event()
        self._is_alive = True

    @property
    def model_name(self) -> str:
        return self._model.title

    @property
    def is_alive(self) -> bool:
        return self._is_alive

    def answer(
        self, messages: Sequence[Message], settings: ChatSettings, *, begin: int = 0, begun: str = ""
    ) -> Generator[PromptEvent, None, None]:
        if begun and not self._model.can_go_on:
            raise EngineError(
                f"A server of the kind {self._model.server} cannot go on with a reply.", "Make it again instead."
            )
        self._stopped.clear()
        yield PrefillAdvanced(0, 0, 0)  # whoever asks hears that it has begun, and says again what came just before
        is_told = False
        while True:
            if begin and not is_told:
                yield ContextTrimmed(begin)
            try:
                yield from self._answer(messages[begin:], settings, begun)
                return
            except ContextFull:
                shorter = _without_half(messages, begin)
                if shorter is None:
                    raise
                begin, is_told = shorter, False

    def count(self, messages: Sequence[Message], settings: ChatSettings, *, begin: int = 0) -> Count:
        raise EngineError("This server does not count tokens.")

    def set_speculation(self, settings: SpeculationSettings) -> None:
        """A request says it when it begins; the reply in progress goes on as it is."""

    def cancel(self) -> None:
        self._stopped.set()

    def abandon(self) -> None:
        """There is no process of ours to end."""
        self.cancel()

    def _answer(
        self, messages: Sequence[Message], settings: ChatSettings, begun: str
    ) -> Generator[PromptEvent, None, None]:
        before = self._server.draft_counters() if self._model.server == VLLM else None
        is_speculating = settings.speculation.is_enabled if self._model.server == SPARKDESK else None
        reply = RemoteReply(begun=begun, is_speculating=is_speculating)
        payload = chat_payload(self._model, messages, settings, begun=begun)
        reading = _ReaderThread(self._server, payload)
        try:
            for chunk in reading.chunks(self._stopped):
                advanced = reply.add(chunk, now_s=perf_counter())
                if advanced is not None:
                    yield advanced
        except SparkDeskError as error:
            yield from reply.flush()
            if isinstance(error, EngineCrashed):
                self._is_alive = False
                self._on_loss()
            raise
        finally:
            reading.close()
        yield from reply.flush()
        after = self._server.draft_counters() if before is not None else None
        counted = after.since(before) if after is not None and before is not None else None
        yield reply.finished(counted, is_stopped=self._stopped.is_set())


class _ReaderThread:
    """A request, and the thread that reads its answer."""

    def __init__(self, server: Server, payload: dict[str, Any]) -> None:
        self._chunks: queue.Queue[dict[str, Any] | SparkDeskError | None] = queue.Queue(_MOST_WAITING)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(server, payload), name="reply", daemon=True)
        self._thread.start()

    def chunks(self, stopped: threading.Event) -> Generator[dict[str, Any], None, None]:
        """As they come, until the end or until it is stopped. Raises EngineError."""
        while not stopped.is_set():
            try:
                chunk = self._chunks.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if chunk is None:
                return
            if isinstance(chunk, SparkDeskError):
                raise chunk
            yield chunk

    def close(self) -> None:
        """The thread ends with the next bytes at the latest; nobody waits for them."""
        self._is_over.set()

    def _read(self, server: Server, payload: dict[str, Any]) -> None:
        try:
            for chunk in server.chat(payload, is_over=self._is_over.is_set):
                self._put(chunk)
            self._put(None)
        except SparkDeskError as error:
            self._put(error)
        except Exception as error:  # a bug of ours must end the reply, not leave it waiting
            self._put(EngineError(f"Reading the reply failed ({type(error).__name__}: {error})."))

    def _put(self, chunk: dict[str, Any] | SparkDeskError | None) -> None:
        """Waits while the screen is behind, and drops what nobody takes any more."""
        while not self._is_over.is_set():
            with suppress(queue.Full):
                self._chunks.put(chunk, timeout=_POLL_SECONDS)
                return


def _without_half(messages: Sequence[Message], begin: int) -> int | None:
    """Where to begin when half of the turns are left out; None where only one is left."""
    starts = [index for index, message in enumerate(messages) if message.role == "user" and index > begin]
    return starts[(len(starts) - 1) // 2] if starts else None
