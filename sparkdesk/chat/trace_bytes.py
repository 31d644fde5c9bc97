"""A trace as bytes for the history: five a stretch and eight a round, compressed. Pure."""

import struct
import zlib
from collections.abc import Sequence

from sparkdesk.chat.trace import BONUS, DRAFTED, PLAIN, REPEATED, Parts, RoundMark, Stretch, Trace

_VERSION = 1
_SOURCES = ("", DRAFTED, REPEATED, BONUS, PLAIN)
_HEAD = struct.Struct("<BI")
_STRETCH = struct.Struct("<HBBB")
_ROUND = struct.Struct("<BBBBf")
_UNKNOWN = 255
_LONGEST = 0xFFFF
_SPECULATING, _PARKED = 0x40, 0x80
_MOST_BYTES = 1 << 26
_MOST_MS = 1e9


def pack(trace: Trace) -> bytes:
    """Confidences are kept to half a percent, times to a millionth, counts up to 255."""
    stretches = [part for each in trace.stretches for part in _parts(each)]
    written = [_HEAD.pack(_VERSION, len(stretches)), *map(_pack_stretch, stretches), *map(_pack_round, trace.rounds)]
    return zlib.compress(b"".join(written))


def unpack(packed: bytes) -> Parts:
    """Nothing where the bytes make no sense: a picture is lost, not the reply."""
    try:
        data = zlib.decompressobj().decompress(packed, _MOST_BYTES)
        version, count = _HEAD.unpack_from(data)
        if version != _VERSION:
            return (), ()
        end = _HEAD.size + count * _STRETCH.size
        stretches = tuple(map(_unpack_stretch, _STRETCH.iter_unpack(data[_HEAD.size : end])))
        return stretches, tuple(map(_unpack_round, _ROUND.iter_unpack(data[end:])))
    except (zlib.error, struct.error, IndexError):
        return (), ()


def _parts(stretch: Stretch) -> Sequence[Stretch]:
    if stretch.length <= _LONGEST:
        return (stretch,)
    rest = Stretch(stretch.length - _LONGEST, stretch.source, stretch.position, stretch.confidence)
    return (Stretch(_LONGEST, stretch.source, stretch.position, stretch.confidence), *_parts(rest))


def _pack_stretch(stretch: Stretch) -> bytes:
    confidence = _UNKNOWN if stretch.confidence is None else round(254 * min(1.0, max(0.0, stretch.confidence)))
    return _STRETCH.pack(stretch.length, _SOURCES.index(stretch.source), min(stretch.position, 255), confidence)


def _unpack_stretch(fields: tuple[int, ...]) -> Stretch:
    length, source, position, confidence = fields
    return Stretch(length, _SOURCES[source], position, None if confidence == _UNKNOWN else confidence / 254)


def _pack_round(mark: RoundMark) -> bytes:
    flags = _SOURCES.index(mark.source) | _SPECULATING * mark.is_speculating | _PARKED * mark.is_parked
    counts = (min(255, count) for count in (mark.tokens, mark.verified, mark.accepted))
    return _ROUND.pack(*counts, flags, mark.elapsed_ms)


def _unpack_round(fields: tuple[int, int, int, int, float]) -> RoundMark:
    tokens, verified, accepted, flags, elapsed_ms = fields
    source = _SOURCES[flags & 0x3F]
    is_time = 0 <= elapsed_ms < _MOST_MS  # not so where the bytes were damaged
    time_ms = elapsed_ms if is_time else 0.0
    return RoundMark(tokens, verified, accepted, source, bool(flags & _SPECULATING), bool(flags & _PARKED), time_ms)
