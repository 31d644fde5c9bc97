"""The whole values of a GGUF header, long arrays included: what a draft takes over from its target."""

import struct
from collections.abc import Iterator
from typing import Any

from converters.gguf_header import ARRAY, SCALARS, STRING, BadHeader, Data, GgufHeader
from converters.metadata import Entry


def entries(data: Data, header: GgufHeader, prefix: str = "") -> Iterator[Entry]:
    """Those whose key begins so. Raises BadHeader for text that is not UTF-8; all places were checked by the header."""
    for key, (kind, start) in header.places.items():
        if key.startswith(prefix):
            try:
                yield _entry(data, key, kind, start)
            except UnicodeDecodeError:
                raise BadHeader(f"has text in {key[:60]!r} that is not UTF-8") from None


def _entry(data: Data, key: str, kind: int, start: int) -> Entry:
    if kind == STRING:
        return Entry(key, _strings(data, start, 1)[0], "STRING")
    if kind != ARRAY:
        name, code = SCALARS[kind]
        return Entry(key, _unpacked(data, start, 1, code)[0], name)
    item, count = struct.unpack_from("<IQ", data, start)
    if item == STRING:
        return Entry(key, _strings(data, start + 12, count), "ARRAY", "STRING")
    name, code = SCALARS[item]
    return Entry(key, list(_unpacked(data, start + 12, count, code)), "ARRAY", name)


def _unpacked(data: Data, start: int, count: int, code: str) -> tuple[Any, ...]:
    return struct.unpack_from(f"<{count}{code}", data, start)


def _strings(data: Data, start: int, count: int) -> list[str]:
    # The loop is bare: a vocabulary has 300,000 strings with its merges.
    at, length_of, values = start, struct.Struct("<Q").unpack_from, []
    for _ in range(count):
        begin = at + 8
        at = begin + length_of(data, at)[0]
        values.append(str(data[begin:at], "utf-8"))
    return values
