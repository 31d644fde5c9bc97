"""Messages to frames of bytes and back; knows the shape of a message, not what it is for.

A frame is a header (two magic bytes, the length of the message, the id of the request it is or answers) and the message
in MessagePack, decoded by msgspec into exactly the types of `protocol`. The first magic byte is one that neither
MessagePack nor UTF-8 uses, so that a stray print is recognized at its first byte. MessagePack and not JSON, because
token pieces are bytes and probabilities may be infinite.
"""

import struct
from functools import cache
from typing import IO, Any

import msgspec

from sparkdesk.errors import EngineError
from sparkdesk.runner.protocol import Request, Response

QUOTED_BYTES = 80
"""How much of a frame an error quotes: enough to recognize a stray print, never a whole prompt."""
MAX_MESSAGE_BYTES = 1 << 28
"""Of one message: a prompt that fills the longest context is far below that."""

_MAGIC = b"\xc1S"
_HEADER = struct.Struct("<2sIQ")
_encoder = msgspec.msgpack.Encoder()


class WireError(EngineError):
    """Bytes that are no message."""

    request_id = 0
    """Where even so the frame tells whose answer this is."""


def encode(message: Request | Response, request_id: int = 0) -> bytes:
    """One message as one frame; the id is that of the request it is or answers.

    Text that is no Unicode (half a surrogate pair, as JSON may spell it) is sent with "?" for what cannot be said.
    """
    try:
        body = _encoder.encode(message)
    except UnicodeEncodeError:
        body = _encoder.encode(_without_surrogates(msgspec.to_builtins(message, builtin_types=(bytes,))))
    if len(body) > MAX_MESSAGE_BYTES:
        raise WireError(f"A message of {len(body):,} bytes is too long for the engine.", "Shorten the prompt.")
    return _HEADER.pack(_MAGIC, len(body), request_id) + body


def read_request(stream: IO[bytes]) -> tuple[int, Request] | None:
    """Its id and itself; None where the stream has ended between two messages.

    Raises WireError; after one whose `request_id` is 0 the rest of the stream cannot be read.
    """
    frame = _read_frame(stream)
    return None if frame is None else (frame[0], _decode(*frame, _decoder(Request)))


def read_response(stream: IO[bytes]) -> tuple[int, Response] | None:
    """The id of the request it answers, and itself; likewise."""
    frame = _read_frame(stream)
    return None if frame is None else (frame[0], _decode(*frame, _decoder(Response)))


def _read_frame(stream: IO[bytes]) -> tuple[int, bytes] | None:
    header = stream.read(_HEADER.size)
    if not header:
        return None
    if not header.startswith(_MAGIC) or len(header) < _HEADER.size:
        raise _refusal(header, "no header")
    _, length, request_id = _HEADER.unpack(header)
    if length > MAX_MESSAGE_BYTES:
        raise _refusal(header, f"a length of {length:,} bytes")
    body = stream.read(length)
    if len(body) < length:
        raise _refusal(body, f"{len(body):,} bytes of {length:,}")
    return request_id, body


def _decode(request_id: int, body: bytes, decoder: "msgspec.msgpack.Decoder[Any]") -> Any:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        refusal = _refusal(body, str(error))
        refusal.request_id = request_id
        raise refusal from None


def _refusal(data: bytes, why: str) -> WireError:
    start = data[:QUOTED_BYTES].decode("utf-8", "replace").rstrip()
    return WireError(f"Not a message between the desk and its engine ({why[:QUOTED_BYTES]}): {start!r}.")


@cache
def _decoder(union: Any) -> "msgspec.msgpack.Decoder[Any]":
    return msgspec.msgpack.Decoder(union)


def _without_surrogates(value: Any) -> Any:
    """The same with every text as Unicode can say it."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _without_surrogates(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_without_surrogates(each) for each in value]
    return value
