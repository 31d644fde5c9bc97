"""Messages to lines of JSON and back; knows the shape of a message, not what it is for.

Only bytes, frozen sets and nested dataclasses need help on the way out (JSON takes tuples for lists), and only what is
not a number, a text or a flag on the way in: a fast model sends 500 rounds a second through here.
"""

import dataclasses
import json
import types
import typing
from collections.abc import Callable
from functools import cache
from operator import attrgetter

from sparkdesk.errors import EngineError
from sparkdesk.runner.protocol import Request, Response

SHOWN_CHARACTERS = 80
"""How much of a line an error quotes: enough to recognize a stray print, never a whole prompt."""

Reader = Callable[[typing.Any], typing.Any]


class WireError(EngineError):
    """A line that is not a message."""

    request_id = 0
    """Where even so the line tells whose answer this is."""


def encode(message: Request | Response, request_id: int = 0) -> bytes:
    """One message as one line, newline included; the id is that of the request it is or answers."""
    envelope = {"type": type(message).__name__, "id": request_id, **_fields_of(message)}
    return _to_json(envelope).encode("ascii") + b"\n"


def decode_request(line: bytes) -> tuple[int, Request]:
    """Its id and itself."""
    request_id, request = _decode(line, _classes(Request))
    return request_id, typing.cast(Request, request)


def decode_response(line: bytes) -> tuple[int, Response]:
    """The id of the request it answers, and itself."""
    request_id, response = _decode(line, _classes(Response))
    return request_id, typing.cast(Response, response)


def _fields_of(value: object) -> dict[str, object]:
    kind: typing.Any = type(value)  # mypy does not take a class for hashable
    names, get_values = _getter(kind)
    return dict(zip(names, get_values(value), strict=True))


def _plain(value: object) -> object:
    """What json calls for everything it does not know."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, frozenset):
        return sorted(value)
    return _fields_of(value)


_to_json = json.JSONEncoder(separators=(",", ":"), default=_plain).encode


@cache
def _getter(kind: type) -> tuple[tuple[str, ...], Callable[[object], tuple[object, ...]]]:
    names = tuple(field.name for field in dataclasses.fields(kind))
    if len(names) >= 2:
        return names, attrgetter(*names)
    return names, lambda value: tuple(getattr(value, name) for name in names)  # attrgetter of one is not a tuple


@cache
def _classes(union: object) -> dict[str, Reader]:
    return {kind.__name__: _reader(kind) for kind in typing.get_args(union)}


def _decode(line: bytes, classes: dict[str, Reader]) -> tuple[int, object]:
    request_id = 0
    try:
        fields = json.loads(line)
        request_id = int(fields.pop("id"))
        return request_id, classes[fields.pop("type")](fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        start = line[:SHOWN_CHARACTERS].decode("utf-8", "replace").rstrip()
        refusal = WireError(f"Not a message between the desk and its engine ({type(error).__name__}): {start!r}.")
        refusal.request_id = request_id
        raise refusal from None


@cache
def _reader(hint: typing.Any) -> Reader:
    """How a JSON value becomes a value of this type."""
    if dataclasses.is_dataclass(hint):
        return _dataclass_reader(typing.cast(type, hint))
    if hint is bytes:
        return _read_bytes
    if hint is float:
        return float  # 1.0 may come back as the integer 1 from other writers of JSON
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (tuple, frozenset):
        return _sequence_reader(origin, _reader(arguments[0]))
    if origin in (types.UnionType, typing.Union):
        return _optional_reader(_reader(next(kind for kind in arguments if kind is not type(None))))
    return _as_is


def _dataclass_reader(kind: type) -> Reader:
    hints = typing.get_type_hints(kind)
    readers = {field.name: _reader(hints[field.name]) for field in dataclasses.fields(kind)}
    changing = tuple((name, read) for name, read in readers.items() if read is not _as_is)

    def read(fields: typing.Any) -> object:
        for name, read_field in changing:
            if name in fields:
                fields[name] = read_field(fields[name])
        return kind(**fields)

    return read


def _sequence_reader(container: type, read_item: Reader) -> Reader:
    if read_item is _as_is:
        return container
    return lambda values: container([read_item(value) for value in values])


def _optional_reader(read: Reader) -> Reader:
    return lambda value: None if value is None else read(value)


def _read_bytes(value: typing.Any) -> bytes:
    return typing.cast(str, value).encode("latin-1")


def _as_is(value: typing.Any) -> typing.Any:
    return value
