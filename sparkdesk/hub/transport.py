"""HTTP with bounds: whatever a server sends, we neither wait, nor read, nor unpack without an end.

Redirects are followed without reading what comes with them; bodies are unpacked here, a piece at a time, because a
few kilobytes can unpack to gigabytes.
"""

import time
import weakref
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from socket import SHUT_RDWR
from threading import Timer
from typing import TYPE_CHECKING, Any

from sparkdesk.http_variables import checked_variables

if TYPE_CHECKING:
    import httpx2

_CONNECT_TIMEOUT_S = 10.0
_HEADERS_DEADLINE_S = 15.0
"""From the question until the answer's headers are whole, redirects included."""
_STALL_S, _STALL_BYTES = 10.0, 4096
"""A body that brings less than this in that time does not get on."""
_MOST_REDIRECTS = 10
_PIECE_BYTES = 1 << 20
_PLAIN, _ZIPPED = ("", "identity"), ("gzip", "x-gzip", "deflate")
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class NoSense(Exception):
    """An answer that cannot be read."""


class Stalled(Exception):
    """An answer that does not get on."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Iterator[bytes]
    """Unpacked. Raises Stalled and NoSense."""
    is_packed: bool
    """Then Content-Length and ranges are not about the bytes of `body`."""


class Transport:
    """One client with its connections, for one hub and whatever host it redirects to."""

    def __init__(self, read_timeout_s: float) -> None:
        import httpx2

        self._timeout = httpx2.Timeout(read_timeout_s, connect=_CONNECT_TIMEOUT_S)
        self._stall_s = max(_STALL_S, read_timeout_s)
        with checked_variables():
            self._client = httpx2.Client(follow_redirects=False)
        self._streams: weakref.WeakSet[Any] = weakref.WeakSet()
        weakref.finalize(self, self._client.close)

    @contextmanager
    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        query: Iterable[tuple[str, str]] = (),
        leaves_host: bool = True,
    ) -> Iterator[Answer]:
        """A redirect to another host is the answer where `leaves_host` is false.

        Raises the client's own errors, Stalled and NoSense, also while the body is read."""
        request = self._client.build_request(
            method,
            url,
            headers={**headers, "Accept-Encoding": "identity"},
            params=list(query) or None,
            timeout=self._timeout,
            extensions={"trace": self._watch},
        )
        response = self._send(request, leaves_host)
        try:
            encoding = response.headers.get("Content-Encoding", "").strip().lower()
            body = unpacked(_getting_on(response.iter_raw(), self._stall_s), encoding)
            yield Answer(response.status_code, response.headers, body, encoding not in _PLAIN)
        finally:
            response.close()

    def _send(self, request: "httpx2.Request", leaves_host: bool) -> "httpx2.Response":
        is_over = False

        def end() -> None:
            nonlocal is_over
            is_over = True
            self._cut()

        timer = Timer(_HEADERS_DEADLINE_S, end)
        timer.daemon = True
        timer.start()
        try:
            return self._follow(request, leaves_host)
        except Exception as error:
            if is_over:
                raise Stalled from error
            raise
        finally:
            timer.cancel()

    def _follow(self, request: "httpx2.Request", leaves_host: bool) -> "httpx2.Response":
        """The client leaves the token behind where a redirect leads to another host."""
        for _ in range(_MOST_REDIRECTS):
            response = self._client.send(request, stream=True)
            if not response.has_redirect_location:
                return response
            response.close()
            if response.next_request is None:
                raise NoSense("it redirects to no address")
            if response.next_request.url.origin != request.url.origin and not leaves_host:
                return response
            request = response.next_request
        raise NoSense("it redirects without an end")

    def _watch(self, event: str, info: dict[str, Any]) -> None:
        stream = info.get("return_value")
        if event.endswith(".complete") and hasattr(stream, "get_extra_info"):
            self._streams.add(stream)

    def _cut(self) -> None:
        """A read that waits in another thread returns at once."""
        for stream in list(self._streams):
            try:
                stream.get_extra_info("socket").shutdown(SHUT_RDWR)
            except OSError:
                continue  # it was closed before


def _getting_on(pieces: Iterator[bytes], stall_s: float) -> Iterator[bytes]:
    """Only the time in which we wait counts, not what is done with a piece."""
    waited_s, come_bytes = 0.0, 0
    while True:
        began_s = time.monotonic()
        piece = next(pieces, None)
        if piece is None:
            return
        waited_s, come_bytes = waited_s + time.monotonic() - began_s, come_bytes + len(piece)
        if come_bytes >= _STALL_BYTES:
            waited_s, come_bytes = 0.0, 0
        elif waited_s >= stall_s:
            raise Stalled
        yield piece


def unpacked(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Of a body in that Content-Encoding, at most a mebibyte at a time. Raises NoSense, at once or while it is read."""
    if encoding not in (*_PLAIN, *_ZIPPED):
        raise NoSense(f"its encoding is {encoding[:40]!r}")
    return _unzipped(pieces) if encoding in _ZIPPED else pieces


def _unzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        for piece in pieces:
            while piece and not unpacker.eof:
                if unpacked := unpacker.decompress(piece, _PIECE_BYTES):
                    yield unpacked
                piece = unpacker.unconsumed_tail
    except zlib.error as error:
        raise NoSense("it is packed wrongly") from error
