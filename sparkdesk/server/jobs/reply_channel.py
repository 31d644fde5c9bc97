"""Carries a reply from the engine's thread to its reader, without ever letting the engine wait.

A reader that is slower than the engine finds the reply waiting. One that stands still finds it cut: what waits for a
single reader is bounded, and a reply as long as that is not read by anybody.
"""

import asyncio
import threading
from collections import deque
from dataclasses import dataclass

from sparkdesk.chat_format.parts import Part
from sparkdesk.chat_format.stream_parser import TokenLogprob
from sparkdesk.server.errors import ApiError
from sparkdesk.server.jobs.usage import ReplyUsage

MOST_WAITING_BYTES = 4_000_000
_PART_BYTES = 200
"""What a part costs beside its text."""


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """The engine has taken the reply on."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Those of the prompt that need not be read again."""


@dataclass(frozen=True, slots=True)
class PromptRead:
    """So much of the prompt has been read, and more is to come."""

    done: int
    """Tokens, cached ones included."""
    total: int
    cached: int
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class ReplyDelta:
    parts: tuple[Part, ...]
    logprobs: tuple[TokenLogprob, ...] = ()
    figures: ReplyUsage | None = None
    """Of the reply so far."""

    @property
    def size_bytes(self) -> int:
        texts = sum(len(getattr(part, "text", "")) for part in self.parts)
        logprobs = sum(1 + len(logprob.top_pieces) for logprob in self.logprobs)
        return texts + _PART_BYTES * (len(self.parts) + logprobs)


@dataclass(frozen=True, slots=True)
class ReplyDone:
    reason: str
    """OpenAI's finish_reason: "stop", "length" or "tool_calls"."""
    figures: ReplyUsage
    stop: str | None = None
    """The stop string that ended it."""


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    error: ApiError


ChannelEvent = ReplyStarted | PromptRead | ReplyDelta | ReplyDone | ReplyFailed


class ReplyChannel:
    """`put` comes from any thread, `next` from the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most_bytes: int) -> None:
        self._loop = loop
        self._most_bytes = most_bytes
        self._events: deque[ChannelEvent] = deque()
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._has_some = asyncio.Event()
        self.is_cut = False
        """The reader stood still for too long."""

    def put(self, event: ChannelEvent) -> None:
        with self._lock:
            self._waiting_bytes += event.size_bytes if isinstance(event, ReplyDelta) else 0
            if self._waiting_bytes > self._most_bytes:
                self.is_cut = True
                self._events.clear()
            self._events.append(event)
        self._wake()

    async def next(self) -> ChannelEvent:
        while True:
            with self._lock:
                if self._events:
                    event = self._events.popleft()
                    self._waiting_bytes -= event.size_bytes if isinstance(event, ReplyDelta) else 0
                    return event
                self._has_some.clear()
            await self._has_some.wait()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._has_some.set)
        except RuntimeError:
            pass  # the loop is closed: nobody reads any more
