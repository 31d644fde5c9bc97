"""Listens on a socket and serves the application until a signal ends it, in good order."""

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from sparkdesk.errors import UsageError
from sparkdesk.server.jobs.dispatcher import Dispatcher

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


_MOST_HEADER_BYTES = 32_768
_MOST_CONNECTIONS = 1000
_LAST_WORDS_S = 0.5
"""After the grace, for connections to take what they were told at the end."""
_LISTEN_BACKLOG = 512
_LAST_PORT = 65535
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def listen(host: str, port: int) -> socket.socket:
    """Taken before the model is loaded, so that a port in use is told at once. Raises UsageError."""
    if port > _LAST_PORT:
        raise UsageError(f"Port {port} does not exist.", f"Give one up to {_LAST_PORT} with --port.")
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        listener = socket.socket(family, kind)
    except OSError as error:
        raise UsageError(f"Cannot listen on {host!r}: {error.strerror or error}.", "Give another --host.") from None
    except UnicodeError:  # of the codec for names beyond ASCII, which has rules for their length and letters too
        raise UsageError(f"Cannot listen on {host!r}: it is not a host name.", "Give another --host.") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _cannot_bind(host, port, error) from None
    return listener


def _cannot_bind(host: str, port: int, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(f"Port {port} is in use already.", "Give another one with --port; 0 takes a free one.")
    if error.errno == errno.EACCES:
        return UsageError(f"Port {port} needs rights this user lacks.", "Give one of 1024 or more with --port.")
    return UsageError(f"Cannot listen on {host}, port {port}: {error.strerror or error}.", "Give another --host.")


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of a certificate, with what vouches for it, and of its key."""

    certificate: str
    key: str

    def check(self) -> None:
        """Raises UsageError."""
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate, self.key, password=lambda: "")  # else it asks on the terminal
        except OSError as error:  # ssl.SSLError among them
            reason = "they are no PEM files that belong together, or the key has a password"
            said = reason if isinstance(error, ssl.SSLError) else error.strerror or str(error)
            raise UsageError(
                f"HTTPS is not possible with {self.certificate} and {self.key}: {said}.",
                "Give a certificate and its key in PEM form with --tls-cert and --tls-key.",
            ) from None


class RunningServer:
    """A server from its start to its end. Asyncio's parts of the dispatcher are made when it runs, not before."""

    def __init__(
        self,
        app: Starlette,
        dispatcher: Dispatcher,
        *,
        grace_s: float,
        on_ready: Callable[[], None] = lambda: None,
        tls: Tls | None = None,
    ) -> None:
        for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
            # It would print what was asked along with its stacks.
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self.dispatcher = dispatcher
        self._server = _Server(_config(app, tls), dispatcher, grace_s, on_ready)

    def run(self, listener: socket.socket) -> None:
        """Until SIGINT, SIGTERM or `stop`; a second signal ends it at once. Closes the listener.

        Raises UsageError where somebody else listens there by now.
        """
        host, port = listener.getsockname()[:2]
        with listener:
            try:
                self._server.run(sockets=[listener])
            except OSError as error:  # two may take a port, and only the first to listen has it
                if error.errno != errno.EADDRINUSE:
                    raise
                raise _cannot_bind(host, port, error) from None

    def stop(self) -> None:
        """From any thread; again, and it ends at once."""
        self._server.hurry()

    @property
    def connection_count(self) -> int:
        return len(self._server.server_state.connections)


def _config(app: Starlette, tls: Tls | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Connection,
        ssl_certfile=tls.certificate if tls is not None else None,
        ssl_keyfile=tls.key if tls is not None else None,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_LISTEN_BACKLOG,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_LAST_WORDS_S,  # type: ignore[arg-type]  # given to asyncio.wait_for as it is
        h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
    )


class _Server(uvicorn.Server):
    """Ends replies before connections, and leaves the process to its caller."""

    def __init__(
        self, config: uvicorn.Config, dispatcher: Dispatcher, grace_s: float, on_ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._dispatcher, self._grace_s, self._on_ready = dispatcher, grace_s, on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._dispatcher.close(self._grace_s, is_urgent=lambda: self.force_exit)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal again when all is done, and that would end us before the engine is closed."""
        before: dict[int, Any] = {}
        with contextlib.suppress(ValueError):  # not the main thread: somebody else looks after signals
            before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.hurry()

    def hurry(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True
