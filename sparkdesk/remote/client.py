"""The gate to servers: requests over HTTP, and every way they can fail as one sentence.

The key goes into one header and nowhere else.
"""

import codecs
import json
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2

from sparkdesk.errors import ContextFull, EngineCrashed, EngineError, UsageError
from sparkdesk.http_variables import checked_variables
from sparkdesk.hub.transport import NoSense, unpacked
from sparkdesk.remote.dialect import ServedModel, served_models
from sparkdesk.remote.figures import DraftCounters, draft_counters

_DONE = "[DONE]"


class EventStream:
    """Fed with bytes, gives the data of whole events. Comments, names and numbers of events mean nothing here."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""
        self._data: list[str] = []
        self.is_done = False
        """Whether the stream said so itself."""

    @property
    def waiting_characters(self) -> int:
        """Of a line whose end has not come, and of an event's lines before it."""
        return len(self._line) + sum(map(len, self._data))

    def feed(self, data: bytes) -> list[str]:
        """The data of the events that `data` completes."""
        return self._take(self._decoder.decode(data))

    def finish(self) -> list[str]:
        """The last event, where the server forgot the empty line after it."""
        return self._take(self._decoder.decode(b"", final=True) + "\n\n")

    def _take(self, text: str) -> list[str]:
        events: list[str] = []
        *lines, self._line = (self._line + text).replace("\r\n", "\n").split("\n")
        for line in lines:
            self._read(line.removesuffix("\r"), events)
        return events

    def _read(self, line: str, events: list[str]) -> None:
        if line:
            name, _, value = line.partition(":")
            if name == "data":
                self._data.append(value.removeprefix(" "))
            return
        if self._data:
            event = "\n".join(self._data)
            self._data.clear()
            if event.strip() == _DONE:
                self.is_done = True
            else:
                events.append(event)


CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 300.0
"""A long prompt on a slow machine says nothing for a while."""
ANSWER_SECONDS = 10.0
"""For the whole of an answer that is no reply."""
_MOST_ANSWER = 1 << 24
_MOST_REPLY = 1 << 26
"""Bytes: many times what fills the longest context."""
_MOST_WORDS = 200
_ERROR_NUMBER = re.compile(r"^\[Errno -?\d+\] ")
_CONTEXT_WORDS = ("context length", "context_length", "context size", "exceed_context", "maximum context")


class Server:
    """One OpenAI-compatible server. `close` it."""

    def __init__(self, url: str, *, key: str | None = None, transport: httpx2.BaseTransport | None = None) -> None:
        """`url` with or without /v1. Raises UsageError where it is none."""
        self.url = _base(url)
        headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {})
        timeout = httpx2.Timeout(CONNECT_SECONDS, read=SILENCE_SECONDS)
        with checked_variables():
            self._http = httpx2.Client(headers=headers, timeout=timeout, transport=transport)

    def models(self) -> list[ServedModel]:
        """What it serves. Raises EngineError."""
        with self._translated():
            with self._http.stream("GET", f"{self.url}/v1/models", timeout=CONNECT_SECONDS) as response:
                self._refuse_errors(response)
                said = _json(self._answer(response))
            try:
                return served_models(said)
            except (KeyError, TypeError, AttributeError):
                raise self._no_api() from None

    def draft_counters(self) -> DraftCounters | None:
        """What its /metrics say of speculative decoding; None where there are none, for whatever reason."""
        try:
            with self._http.stream("GET", f"{self.url}/metrics", timeout=CONNECT_SECONDS) as response:
                if response.status_code != 200:
                    return None
                return draft_counters(self._answer(response).decode("utf-8", "replace"))
        except (httpx2.HTTPError, EngineError, NoSense):
            return None

    def chat(self, payload: Mapping[str, Any], *, is_over: Callable[[], bool]) -> Generator[dict[str, Any], None, None]:
        """The chunks of a streamed reply. Raises EngineError; EngineCrashed where the connection is cut in the middle.

        Asked after every chunk, `is_over` ends it; so does closing the iterator.
        """
        stream, has_any, is_finished = EventStream(), False, False
        with (
            self._translated(),
            self._http.stream("POST", f"{self.url}/v1/chat/completions", json=dict(payload)) as response,
        ):
            if response.status_code != 200:
                self._refuse_errors(response)
            sent = 0
            for data in _unpacked(response):
                sent += len(data)
                if sent > _MOST_REPLY:
                    raise EngineError(f"{self.url} sent a reply without an end.", "Is it an OpenAI API?")
                for event in stream.feed(data):
                    has_any = True
                    chunk = self._chunk(event)
                    is_finished = is_finished or _is_last(chunk)
                    yield chunk
                if stream.is_done or is_over():
                    return
                if stream.waiting_characters > _MOST_ANSWER:
                    raise EngineError(f"{self.url} sent a line without an end.", "Is it an OpenAI API?")
            for event in stream.finish():
                has_any = True
                chunk = self._chunk(event)
                is_finished = is_finished or _is_last(chunk)
                yield chunk
        if not has_any:
            raise self._no_api()
        if not is_finished:
            raise EngineError(f"{self.url} ended the reply before it was complete.", "Continue goes on with it.")

    def close(self) -> None:
        self._http.close()

    def _answer(self, response: httpx2.Response) -> bytes:
        """All of a body. Raises EngineError where it is too long or does not end."""
        answer, began_s = bytearray(), time.monotonic()
        for piece in _unpacked(response):
            answer += piece
            if len(answer) > _MOST_ANSWER or time.monotonic() - began_s > ANSWER_SECONDS:
                raise EngineError(f"{self.url} sent an answer without an end.", "Is it an OpenAI API?")
        return bytes(answer)

    def _chunk(self, event: str) -> dict[str, Any]:
        chunk = _json(event)
        if chunk is None:
            raise EngineError(f"{self.url} sent something that makes no sense.", "Is it an OpenAI API?")
        if not isinstance(chunk, dict):
            raise self._no_api()
        if "error" in chunk:
            raise self._said_no(chunk, 0)
        return chunk

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx2.ConnectTimeout:
            raise EngineCrashed(f"{self.url} does not answer.", "Is the address right, and the server up?") from None
        except httpx2.ConnectError as error:
            raise EngineCrashed(f"{self.url} cannot be reached: {_reason(error)}.", "Is the server running?") from None
        except httpx2.ReadTimeout:
            raise EngineCrashed(f"{self.url} has been silent for {SILENCE_SECONDS:.0f} s.", "Try again.") from None
        except httpx2.RemoteProtocolError:
            raise EngineCrashed(
                f"{self.url} closed the connection before its answer was complete.", "Connect again."
            ) from None
        except (httpx2.TransportError, httpx2.StreamError) as error:
            raise EngineCrashed(f"The connection to {self.url} broke: {_reason(error)}.", "Connect again.") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, NoSense) as error:
            raise EngineError(f"The answer of {self.url} makes no sense: {_reason(error)}.") from None

    def _refuse_errors(self, response: httpx2.Response) -> None:
        status = response.status_code
        if 300 <= status < 400:
            place = response.headers.get("Location", "?")[:_MOST_WORDS]
            raise EngineError(f"{self.url} sends elsewhere.", f"Connect to {place}.")
        if status >= 400:
            said = _json(self._answer(response))
            raise self._said_no(said if isinstance(said, dict) else {}, status, response.headers.get("Retry-After"))

    def _said_no(self, said: Mapping[str, Any], status: int, wait: str | None = None) -> EngineError:
        words = _words(said)
        if status in (401, 403):
            return EngineError(
                f"{self.url} wants another key.",
                "Give --api-key-file FILE, or set SPARKDESK_API_KEY to the server's key.",
            )
        if status == 404 and not words:
            return self._no_api()
        if status == 429:
            when = f"Try again in {wait} s." if wait and wait.isdigit() else "Try again in a while."
            return EngineError(f"{self.url} has too much to do.", when)
        if any(sign in (words + _all_words(said)).lower() for sign in _CONTEXT_WORDS):
            return ContextFull(f"The conversation is longer than the context of {self.url}.", "Start a new one.")
        reason = f": {words}" if words else f" (status {status})"
        return EngineError(f"{self.url} refused{reason}".rstrip(".") + ".", "Its log may say more.")

    def _no_api(self) -> EngineError:
        return EngineError(f"{self.url} is not an OpenAI-compatible API.", "Check the address and its port.")


def _unpacked(response: httpx2.Response) -> Iterator[bytes]:
    """A proxy may have compressed it. A piece at a time: a few kilobytes can unpack to gigabytes."""
    return unpacked(response.iter_raw(), response.headers.get("Content-Encoding", "").strip().lower())


def _json(given: str | bytes) -> Any:
    """None where it is none: also numbers of thousands of digits, and what is nested too deeply."""
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        return None


def _is_last(chunk: Mapping[str, Any]) -> bool:
    """Whether it says why the reply ends."""
    choices = chunk.get("choices")
    return any(
        isinstance(choice, Mapping) and isinstance(choice.get("finish_reason"), str)
        for choice in (choices if isinstance(choices, list) else ())
    )


def _base(url: str) -> str:
    given = url if "://" in url else f"http://{url}"
    if any(character.isspace() for character in given):
        raise UsageError(f"{url!r} is not an address.", "An address looks like this: http://127.0.0.1:8080.")
    try:
        parsed = httpx2.URL(given)
    except (httpx2.InvalidURL, ValueError):
        raise UsageError(f"{url!r} is not an address.", "An address looks like this: http://127.0.0.1:8080.") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise UsageError(f"{url!r} is not an address.", "An address looks like this: http://127.0.0.1:8080.")
    if parsed.userinfo:
        raise UsageError("A password does not belong into an address.", "Give --api-key-file FILE instead.")
    return str(parsed.copy_with(query=None, fragment=None)).rstrip("/").removesuffix("/v1")


def _words(said: Mapping[str, Any]) -> str:
    """The server's own sentence, in one line and not too long."""
    error = said.get("error", said.get("detail", said.get("message", "")))
    text = error.get("message", "") if isinstance(error, Mapping) else error
    return " ".join(text[: 10 * _MOST_WORDS].split())[:_MOST_WORDS] if isinstance(text, str) else ""


def _all_words(said: Mapping[str, Any]) -> str:
    try:
        return str(said)
    except RecursionError:
        return ""


def _reason(error: Exception) -> str:
    words = _ERROR_NUMBER.sub("", " ".join(str(error).split()))
    return (words or type(error).__name__).rstrip(".")
