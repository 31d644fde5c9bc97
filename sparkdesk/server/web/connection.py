"""uvicorn's HTTP connection with two things added: a limit on how long a request may take to come, and a way to cut."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 20.0
KEEP_ALIVE_SECONDS = 30
"""Between two requests."""


class Connection(H11Protocol):
    """Handlers find the cut as `abort` in the state of their scope."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.timeout_keep_alive = KEEP_ALIVE_SECONDS
        self.app_state = {**self.app_state, "abort": self._abort}
        self._timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """While a request has begun to come, or the first is awaited, and none is being answered."""
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering:
            self._forget()
        elif self._timeout is None:
            self._timeout = self.loop.call_later(HEADER_SECONDS, self._abort)

    def _forget(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None

    def _abort(self) -> None:
        self._forget()
        if self.transport is not None:
            self.transport.abort()
