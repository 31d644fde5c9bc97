"""Sends one reply to its client, whole or as server-sent events, and lets go of it when the client does."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sparkdesk.server.errors import ApiError
from sparkdesk.server.jobs.dispatcher import Dispatcher
from sparkdesk.server.jobs.fair_queue import Client
from sparkdesk.server.jobs.job import Job
from sparkdesk.server.jobs.reply_channel import (
    ChannelEvent,
    PromptRead,
    ReplyDelta,
    ReplyDone,
    ReplyFailed,
    ReplyStarted,
)
from sparkdesk.server.requests.models import ChatRequest, CompletionRequest
from sparkdesk.server.responses.anthropic import anthropic_error
from sparkdesk.server.responses.json_io import DONE, to_event, to_json
from sparkdesk.server.responses.protocol import ResponseBuilder
from sparkdesk.server.web.body import Room

STALLED_S = 60.0
"""A client that takes nothing for so long is cut off: whoever reads slowly but reads may take all day."""
QUIET_S = 10.0
"""While a long prompt is read there is nothing to tell, and a proxy may take a silent connection for a dead one."""
_KEEP_ALIVE = b": keep-alive\n\n"

_UNBUFFERED = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))

_LONGEST_HEADER = 1000
_NOT_IN_HEADERS = re.compile(r"[^ -~]")
ANTHROPIC_PATH = "/v1/messages"

_Result = TypeVar("_Result")


class _ClientGone(Exception):
    pass


class Delivery(Response):
    """Submits the request when it is sent, so that a client who leaves early leaves the queue too."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        request: ChatRequest | CompletionRequest,
        response: ResponseBuilder,
        room: Room,
        *,
        client: Client,
        stalled_s: float = STALLED_S,
    ) -> None:
        """`room` is what the request's body takes; it is given back when the body has become a prompt."""
        self.background = None
        self._dispatcher, self._response, self._room, self._client = dispatcher, response, room, client
        self._request: ChatRequest | CompletionRequest | None = request
        self._is_streamed, self._ignored = request.options.is_streamed, request.options.ignored
        self._stalled_s = stalled_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(_until_gone(receive))
        job: Job | None = None
        try:
            job = await self._submitted(gone)
            first = await self._unless(gone, job.channel.next())
            if isinstance(first, ReplyFailed):
                raise first.error
            if self._is_streamed:
                await self._stream(job, first, gone, self._with_deadline(send, scope))
            else:
                await self._send_whole(job, gone, self._with_deadline(send, scope))
        except ApiError as error:
            await error_response(error, scope["path"])(scope, receive, send)
        except _ClientGone:
            pass
        finally:
            gone.cancel()
            if job is not None:
                self._dispatcher.leave(job)

    async def _submitted(self, gone: "asyncio.Future[None]") -> Job:
        request, self._request = self._request, None  # as long as it waits, its tokens are enough
        assert request is not None, "a response is sent once"
        try:
            return await self._unless(gone, self._dispatcher.submit(request, self._client))
        finally:
            self._room.give_back()

    async def _stream(self, job: Job, first: ChannelEvent, gone: "asyncio.Future[None]", send: Send) -> None:
        await send(_start(200, b"text/event-stream; charset=utf-8", *_UNBUFFERED, *self._notes(job)))
        started = first if isinstance(first, ReplyStarted) else ReplyStarted(len(job.prepared.tokens))
        await send(_body(self._events(self._response.opening(started))))
        event: ChannelEvent | None = first
        while not isinstance(event, ReplyDone | ReplyFailed):
            event = await self._unless(gone, _next_soon(job))
            await send(_body(self._as_events(event)))
        await send(_body(b"" if self._response.names_events else DONE, is_last=True))

    def _as_events(self, event: ChannelEvent | None) -> bytes:
        match event:
            case None:
                quiet = self._response.quiet()
                return _KEEP_ALIVE if quiet is None else self._events([quiet])
            case PromptRead():
                chunk = self._response.progress(event)
                return _progress_comment(event) if chunk is None else self._events([chunk])
            case ReplyDelta():
                return self._events(self._response.chunks(event))
            case ReplyDone():
                return self._events(self._response.closing(event))
            case ReplyFailed(error):
                return self._events([self._response.failed(error)])
            case _:
                return b""

    def _events(self, chunks: Iterable[dict[str, Any]]) -> bytes:
        names = self._response.names_events
        return b"".join(to_event(chunk, chunk["type"] if names else "") for chunk in chunks)

    def _notes(self, job: Job) -> tuple[tuple[bytes, bytes], ...]:
        """For clients that want to know: what of its schema is not held to, and which fields changed nothing."""
        return (*_note(b"x-schema-not-enforced", job.prepared.not_enforced), *_note(b"x-ignored-fields", self._ignored))

    async def _send_whole(self, job: Job, gone: "asyncio.Future[None]", send: Send) -> None:
        while True:
            match await self._unless(gone, job.channel.next()):
                case ReplyDelta() as event:
                    self._response.add(event)
                case ReplyFailed(error):
                    raise error
                case ReplyDone() as event:
                    body = to_json(self._response.complete(event))
                    await send(
                        _start(200, b"application/json", (b"content-length", b"%d" % len(body)), *self._notes(job))
                    )
                    await send(_body(body, is_last=True))
                    return

    async def _unless(self, gone: "asyncio.Future[None]", work: Coroutine[Any, Any, _Result]) -> _Result:
        """The work's result. Raises _ClientGone as soon as there is nobody to give it to."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not task.done():
            task.cancel()
            raise _ClientGone
        return task.result()

    def _with_deadline(self, send: Send, scope: Scope) -> Send:
        """Waits for a client that reads, and cuts off one that does not."""

        async def send_in_time(message: Any) -> None:
            try:
                await asyncio.wait_for(send(message), self._stalled_s)
            except TimeoutError:
                _cut_off(scope)
                raise _ClientGone from None

        return send_in_time


def json_response(body: object, status: int = 200) -> Response:
    return Response(to_json(body), status, media_type="application/json")


def error_response(error: ApiError, path: str = "") -> Response:
    """In the form of the API that the path belongs to."""
    body = anthropic_error(error) if path.startswith(ANTHROPIC_PATH) else error.as_json()
    return Response(to_json(body), error.status, error.headers(), media_type="application/json")


def _note(name: bytes, said: Sequence[str]) -> tuple[tuple[bytes, bytes], ...]:
    """What is said comes from the request, and may have line breaks in it."""
    value = _NOT_IN_HEADERS.sub("?", "; ".join(said)).encode()[:_LONGEST_HEADER].strip()
    return ((name, value),) if value else ()


def _progress_comment(event: PromptRead) -> bytes:
    return f": prompt {event.done}/{event.total} tokens, {event.cached} from the cache\n\n".encode()


async def _next_soon(job: Job) -> ChannelEvent | None:
    """None when it takes longer than a connection should be silent."""
    try:
        return await asyncio.wait_for(job.channel.next(), QUIET_S)
    except TimeoutError:
        return None


async def _until_gone(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _cut_off(scope: Scope) -> None:
    """At once: closing in good order would wait for the client to read."""
    abort = scope.get("state", {}).get("abort")
    if abort is not None:
        abort()


def _start(status: int, media_type: bytes, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": [(b"content-type", media_type), *headers]}


def _body(data: bytes, *, is_last: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": not is_last}
