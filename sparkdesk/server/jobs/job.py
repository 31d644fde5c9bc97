"""One request on its way through the queue and the engine."""

import threading

from sparkdesk.server.errors import ApiError
from sparkdesk.server.jobs.engine import ReplyHandle
from sparkdesk.server.jobs.fair_queue import Client
from sparkdesk.server.jobs.prepare import Prepared
from sparkdesk.server.jobs.reply_channel import ReplyChannel
from sparkdesk.server.jobs.usage import ReplyUsage

_PROMPT_TOKEN_S, _NEW_TOKEN_S = 0.002, 0.02
_UNBOUNDED_TOKENS = 1000
"""Few replies are longer, whatever they are allowed."""


class Job:
    """`stop` comes from the event loop, the rest from the engine's thread."""

    def __init__(self, prepared: Prepared, client: Client, channel: ReplyChannel, *, arrived_s: float) -> None:
        self.prepared = prepared
        self.client = client
        self.channel = channel
        self.arrived_s = arrived_s
        self.stopped_by: ApiError | None = None
        self.figures: ReplyUsage | None = None
        """Of the reply so far."""
        self._reply: ReplyHandle | None = None
        self._lock = threading.Lock()

    @property
    def cost_s(self) -> float:
        """What it is expected to take at most, at some usual speed: only how requests compare matters."""
        new_tokens = self.prepared.settings.max_tokens or _UNBOUNDED_TOKENS
        return len(self.prepared.tokens) * _PROMPT_TOKEN_S + min(new_tokens, _UNBOUNDED_TOKENS) * _NEW_TOKEN_S

    def stop(self, why: ApiError) -> None:
        """End the reply after its current round, or before it has begun."""
        with self._lock:
            self.stopped_by = self.stopped_by or why
            reply = self._reply
        if reply is not None:
            reply.cancel()

    def begin(self, reply: ReplyHandle) -> None:
        with self._lock:
            self._reply = reply
            is_stopped = self.stopped_by is not None
        if is_stopped:
            reply.cancel()
