"""Rows out of a SQLite file's pages, without the tree that leads to them: for a database whose upper pages are damaged.

Source: the SQLite file format, sections 1.6 (b-tree pages), 1.5 (overflow) and 2.1 (records).
"""

import struct
from collections.abc import Iterable, Iterator
from mmap import mmap

_LEAF = 0x0D  # of a table
_PAGE_BYTES = 4096
_MOST_PAYLOAD = 1 << 28
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}

Bytes = bytes | mmap
Value = None | int | float | bytes | str


def rows_in_pages(
    data: Bytes, stretches: Iterable[tuple[int, int]], page_bytes: int = _PAGE_BYTES
) -> Iterator[tuple[int, tuple[Value, ...]]]:
    """Row id and columns of everything that looks like a row of some table; half rows are left out.

    `stretches` are where `data` is not a hole: first byte and end.
    """
    starts = (at for first, end in stretches for at in range(first // page_bytes * page_bytes, end, page_bytes))
    for start in starts:
        page = data[start : start + page_bytes]
        at = 100 if start == 0 else 0
        if len(page) < page_bytes or page[at] != _LEAF:
            continue
        (count,) = struct.unpack_from(">H", page, at + 3)
        for place in struct.unpack_from(f">{min(count, page_bytes // 4)}H", page, at + 8):
            try:
                yield _cell(data, page, place, page_bytes)
            except (IndexError, ValueError, struct.error):
                continue


def _cell(data: Bytes, page: bytes, at: int, page_bytes: int) -> tuple[int, tuple[Value, ...]]:
    size, at = _varint(page, at)
    row, at = _varint(page, at)
    if not 0 < size <= min(_MOST_PAYLOAD, len(data)) or row < 1:
        raise ValueError
    local = _local(size, page_bytes)
    payload = bytearray(page[at : at + local])
    if local < size:
        (following,) = struct.unpack_from(">I", page, at + local)
        while following and len(payload) < size:  # each page adds to it, so a loop of pages ends
            start = (following - 1) * page_bytes
            (following,) = struct.unpack_from(">I", data, start)
            payload += data[start + 4 : start + page_bytes]
    if len(payload) < size:
        raise ValueError
    return row, _record(bytes(payload[:size]))


def _local(size: int, page_bytes: int) -> int:
    """How much of a row lies in the page itself."""
    if size <= page_bytes - 35:
        return size
    least = (page_bytes - 12) * 32 // 255 - 23
    rest = least + (size - least) % (page_bytes - 4)
    return rest if rest <= page_bytes - 35 else least


def _record(payload: bytes) -> tuple[Value, ...]:
    head, at = _varint(payload, 0)
    kinds = []
    while at < head:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values: list[Value] = []
    for kind in kinds:
        size = _size(kind)
        if at + size > len(payload):
            raise ValueError
        values.append(_value(kind, payload[at : at + size]))
        at += size
    return tuple(values)


def _size(kind: int) -> int:
    if kind >= 12:
        return (kind - 12) // 2
    return 8 if kind == 7 else _INTEGERS.get(kind, 0)


def _value(kind: int, data: bytes) -> Value:
    if kind in _INTEGERS:
        return int.from_bytes(data, "big", signed=True)
    if kind == 7:
        number: float = struct.unpack(">d", data)[0]
        return number
    if kind >= 12:
        return data.decode("utf-8", "replace") if kind % 2 else data
    return {8: 0, 9: 1}.get(kind)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for _ in range(8):
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at
    return value << 8 | data[at], at + 1
