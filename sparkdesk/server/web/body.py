"""Reads the body of a request: not too much of it, and not for too long."""

import asyncio
from typing import Any

from starlette.requests import ClientDisconnect, Request

from sparkdesk.server.errors import ApiError
from sparkdesk.server.responses.json_io import from_json

MOST_BODY_BYTES = 16_000_000
BODY_SECONDS = 60.0
_LARGE_BODY_BYTES = 200_000
"""From here on, reading the JSON would keep the others waiting."""


async def read_body(request: Request) -> Any:
    """The JSON. Raises ApiError."""
    try:
        data = await asyncio.wait_for(_bytes_of(request), BODY_SECONDS)
    except TimeoutError:
        raise ApiError(408, "The body took too long to come.", code="timeout") from None
    except ClientDisconnect:
        raise ApiError(499, "The client is gone.", code="gone") from None
    if len(data) < _LARGE_BODY_BYTES:
        return from_json(data)
    return await asyncio.to_thread(from_json, data)


async def _bytes_of(request: Request) -> bytes:
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > MOST_BODY_BYTES:
        raise _too_large()
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > MOST_BODY_BYTES:
            raise _too_large()
    return bytes(data)


def _too_large() -> ApiError:
    return ApiError(413, f"The body is larger than {MOST_BODY_BYTES / 1e6:.0f} MB.", code="body_too_large")
