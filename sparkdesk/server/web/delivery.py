"""Sends one reply to its client, whole or as server-sent events, and lets go of it when the client does."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sparkdesk.server.errors import ApiError
from sparkdesk.server.jobs.dispatcher import Dispatcher
from sparkdesk.server.jobs.job import Job
from sparkdesk.server.jobs.reply_channel import Advanced, Broke, ChannelEvent, Ended
from sparkdesk.server.requests.models import ChatAsk, TextAsk
from sparkdesk.server.responses.json_io import DONE, to_event, to_json
from sparkdesk.server.responses.protocol import Shape

STALLED_S = 60.0
"""A client that takes nothing for so long is cut off: whoever reads slowly but reads may take all day."""
QUIET_S = 10.0
"""While a long prompt is read there is nothing to tell, and a proxy may take a silent connection for a dead one."""
_STILL_HERE = b": nothing yet\n\n"

_UNBUFFERED = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))

_Result = TypeVar("_Result")


class _ClientGone(Exception):
    pass


class Delivery(Response):
    """Submits the ask when it is sent, so that a client who leaves early leaves the queue too."""

    def __init__(
        self, dispatcher: Dispatcher, ask: ChatAsk | TextAsk, shape: Shape, *, client: str, stalled_s: float = STALLED_S
    ) -> None:
        self.background = None
        self._dispatcher, self._ask, self._shape, self._client = dispatcher, ask, shape, client
        self._stalled_s = stalled_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(_until_gone(receive))
        job: Job | None = None
        try:
            job = await self._unless(gone, self._dispatcher.submit(self._ask, self._client))
            first = await self._unless(gone, job.outlet.next())
            if isinstance(first, Broke):
                raise first.error
            if self._ask.common.is_streamed:
                await self._stream(job, gone, self._patient(send, scope))
            else:
                await self._send_whole(job, gone, self._patient(send, scope))
        except ApiError as error:
            await error_response(error)(scope, receive, send)
        except _ClientGone:
            pass
        finally:
            gone.cancel()
            if job is not None:
                self._dispatcher.leave(job)

    async def _stream(self, job: Job, gone: "asyncio.Future[None]", send: Send) -> None:
        await send(_start(200, b"text/event-stream; charset=utf-8", *_UNBUFFERED))
        for chunk in self._shape.opening():
            await send(_body(to_event(chunk)))
        event: ChannelEvent | None = None
        while not isinstance(event, Ended | Broke):
            event = await self._unless(gone, _next_soon(job))
            await send(_body(_STILL_HERE if event is None else self._as_events(event)))
        await send(_body(DONE, is_last=True))

    def _as_events(self, event: ChannelEvent) -> bytes:
        match event:
            case Advanced():
                return b"".join(map(to_event, self._shape.chunks(event)))
            case Ended():
                return b"".join(map(to_event, self._shape.closing(event)))
            case Broke(error):
                return to_event(error.as_json())
            case _:
                return b""

    async def _send_whole(self, job: Job, gone: "asyncio.Future[None]", send: Send) -> None:
        while True:
            match await self._unless(gone, job.outlet.next()):
                case Advanced() as event:
                    self._shape.add(event)
                case Broke(error):
                    raise error
                case Ended() as event:
                    body = to_json(self._shape.whole(event))
                    await send(_start(200, b"application/json", (b"content-length", b"%d" % len(body))))
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

    def _patient(self, send: Send, scope: Scope) -> Send:
        """Waits for a client that reads, and cuts off one that does not."""

        async def patient(message: Any) -> None:
            try:
                await asyncio.wait_for(send(message), self._stalled_s)
            except TimeoutError:
                _cut_off(scope)
                raise _ClientGone from None

        return patient


def error_response(error: ApiError) -> Response:
    headers = error.headers()
    return Response(to_json(error.as_json()), error.status, headers, media_type="application/json")


async def _next_soon(job: Job) -> ChannelEvent | None:
    """None when it takes longer than a connection should be silent."""
    try:
        return await asyncio.wait_for(job.outlet.next(), QUIET_S)
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
