"""Reads the body of a request: not too much of it, not for too long, and not too many at once."""

import asyncio
from collections import deque
from typing import Any

from starlette.requests import ClientDisconnect, Request

from sparkdesk.server.errors import ApiError
from sparkdesk.server.responses.json_io import from_json

MOST_BODY_BYTES = 16_000_000
BODY_SECONDS = 60.0
MOST_BODIES_BYTES = 48_000_000
"""Of all large bodies that are being read, parsed and cut into tokens: each takes several times its size meanwhile."""
_LEAST_MOST_BYTES, _BYTES_PER_TOKEN = 1_000_000, 64
_LARGE_BODY_BYTES = 200_000
"""From here on, reading the JSON would keep the others waiting."""


def most_body_bytes(context_tokens: int) -> int:
    """More could not become a prompt that fits, escapes and all; schemas and tools have room in any case."""
    return min(MOST_BODY_BYTES, max(_LEAST_MOST_BYTES, context_tokens * _BYTES_PER_TOKEN))


class BodyMemory:
    """Room for large bodies, given in the order in which it is asked for."""

    def __init__(self, most_bytes: int = MOST_BODIES_BYTES) -> None:
        self._free = most_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size_bytes: int) -> "Room":
        if self._waiting or size_bytes > self._free:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            entry = (size_bytes, turn)
            self._waiting.append(entry)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.give_back(size_bytes)
                else:
                    self._waiting.remove(entry)
                    self._serve()
                raise
        else:
            self._free -= size_bytes
        return Room(self, size_bytes)

    def give_back(self, size_bytes: int) -> None:
        self._free += size_bytes
        self._serve()

    def _serve(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            size_bytes, turn = self._waiting.popleft()
            if not turn.done():
                self._free -= size_bytes
                turn.set_result(None)


class Room:
    """What one body has been given. Give it back once."""

    def __init__(self, memory: BodyMemory | None = None, size_bytes: int = 0) -> None:
        self._memory, self._size_bytes = memory, size_bytes

    def give_back(self) -> None:
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.give_back(self._size_bytes)


async def read_body(request: Request, memory: BodyMemory, most_bytes: int) -> tuple[Any, Room]:
    """The JSON, and the room it takes until it has become a prompt. Raises ApiError."""
    announced = request.headers.get("content-length", "")
    size_bytes = int(announced) if announced.isdigit() and len(announced) < 20 else most_bytes
    if size_bytes > most_bytes:
        raise _too_large(most_bytes)
    room = Room()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            if size_bytes >= _LARGE_BODY_BYTES:
                room = await memory.take(size_bytes)
            data = await _bytes_of(request, most_bytes)
        if len(data) < _LARGE_BODY_BYTES:
            return from_json(data), room
        return await asyncio.to_thread(from_json, data), room
    except TimeoutError:
        room.give_back()
        raise ApiError(408, "The body took too long to come.", code="timeout") from None
    except ClientDisconnect:
        room.give_back()
        raise ApiError(499, "The client is gone.", code="gone") from None
    except BaseException:
        room.give_back()
        raise


async def _bytes_of(request: Request, most_bytes: int) -> bytearray:
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > most_bytes:
            raise _too_large(most_bytes)
    return data


def _too_large(most_bytes: int) -> ApiError:
    return ApiError(
        413,
        f"The body is larger than {most_bytes / 1e6:.1f} MB, the most that could fit the context.",
        code="body_too_large",
    )
