"""JSON and server-sent events as bytes; and the JSON of requests, read with its limits."""

import json
import re
from typing import Any, NoReturn

from sparkdesk.server.errors import bad_request

DONE = b"data: [DONE]\n\n"
_SURROGATE = re.compile("[\ud800-\udfff]")
_BRACKETS = re.compile(r'"(?:[^"\\]+|\\.)*"?|([\[{])|([\]}])', re.DOTALL)
_MOST_NESTED = 100
"""Whoever walks through a body by recursion must not be led too deep."""
_LEAST_LOGPROB = -9999.0
"""JSON has no infinity."""


def to_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def to_event(value: object) -> bytes:
    return b"data: " + to_json(value) + b"\n\n"


def from_json(body: bytes) -> Any:
    """Raises ApiError for what is no JSON, or has numbers and characters that JSON does not have."""
    try:
        text = body.decode("utf-8")
        _check_depth(text)
        value = json.loads(text, parse_constant=_refuse_constant)
        # An escaped half of a character passes json, and cannot be said in UTF-8.
        if "\\u" in text and _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
            raise ValueError("half a character")
    except UnicodeDecodeError:
        raise bad_request("The body is not UTF-8.") from None
    except RecursionError:
        raise bad_request("The body is nested too deeply.") from None
    except ValueError:
        raise bad_request("The body is not valid JSON.") from None
    return value


def _check_depth(text: str) -> None:
    """Raises RecursionError."""
    if text.count("{") + text.count("[") <= _MOST_NESTED:
        return
    depth = 0
    for bracket in _BRACKETS.finditer(text):
        depth += (bracket[1] is not None) - (bracket[2] is not None)
        if depth > _MOST_NESTED:
            raise RecursionError


def as_logprob(value: float) -> float:
    return round(max(value, _LEAST_LOGPROB), 6)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
