"""JSON and server-sent events as bytes; and the JSON of requests, read with its limits."""

import json
import re
from typing import Any

import msgspec

from sparkdesk.server.errors import bad_request

DONE = b"data: [DONE]\n\n"
_BRACKETS = re.compile(rb'"(?:[^"\\]+|\\.)*"?|([\[{])|([\]}])', re.DOTALL)
_MOST_NESTED = 100
"""Whoever walks through a body by recursion must not be led too deep."""
_LEAST_LOGPROB = -9999.0
"""JSON has no infinity."""


def to_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def to_event(value: object, name: str = "") -> bytes:
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + to_json(value) + b"\n\n"


def from_json(body: bytes | bytearray) -> Any:
    """Raises ApiError for what is not JSON, or has numbers and characters that JSON does not have."""
    try:
        _check_depth(body)
        return msgspec.json.decode(body)
    except UnicodeDecodeError:
        raise bad_request("The body is not UTF-8.") from None
    except RecursionError:
        raise bad_request("The body is nested too deeply.") from None
    except msgspec.MsgspecError as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        raise bad_request(f"The body is not valid JSON: {reason[:1].lower()}{reason[1:]}.") from None


def _check_depth(body: bytes | bytearray) -> None:
    """Raises RecursionError."""
    if body.count(b"{") + body.count(b"[") <= _MOST_NESTED:
        return
    depth = 0
    for bracket in _BRACKETS.finditer(body):
        depth += (bracket[1] is not None) - (bracket[2] is not None)
        if depth > _MOST_NESTED:
            raise RecursionError


def as_logprob(value: float) -> float:
    return round(max(value, _LEAST_LOGPROB), 6)
