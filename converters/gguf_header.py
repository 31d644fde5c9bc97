"""Metadata and tensor places of a GGUF file, from its header; the only reader of it, for converters and for sparkdesk.

Source of the layout: the GGUF specification (ggml/docs/gguf.md), versions 2 and 3, little-endian. The `gguf` package's
reader makes an array of every token and merge: nine seconds for a large vocabulary. Here long arrays are passed over;
`gguf_entries.py` reads them where they are wanted. Nothing that a header says is used before it was checked, here and
by `gguf_rules.py`: a header takes a bounded time and a bounded memory, whatever it claims.
"""

import math
import mmap
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from converters.gguf_rules import check_values
from converters.gguf_types import BLOCKS, ArrayLength, BadHeader, GgufHeader, Scalar, TensorPlace
from converters.names import Entry

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
MAX_DIMENSIONS = 4
MOST_NUMBERS = 1024
"""Of an array, that are kept."""
MAX_HEADER_BYTES = 128 << 20
"""A vocabulary of 262,144 tokens takes 20 MiB with its merges."""
_MOST_KEYS, _MOST_TENSORS = 1 << 16, 1 << 18
_MOST_NAME_BYTES, _MOST_TEXT_BYTES = 4096, 4 << 20
_MOST_ALIGNMENT = 1 << 20
_LEAST_ENTRY_BYTES, _LEAST_TENSOR_BYTES = 13, 24

SCALARS = {
    0: ("UINT8", "B"), 1: ("INT8", "b"), 2: ("UINT16", "H"), 3: ("INT16", "h"), 4: ("UINT32", "I"), 5: ("INT32", "i"),
    6: ("FLOAT32", "f"), 7: ("BOOL", "?"), 10: ("UINT64", "Q"), 11: ("INT64", "q"), 12: ("FLOAT64", "d"),
}  # fmt: skip
"""GGUF value types by number: name and struct code."""
STRING, ARRAY = 8, 9

Data = mmap.mmap | bytes | memoryview


class HeaderGoesOn(Exception):
    """The header goes on behind the bytes at hand, which are only the beginning of the file."""


def parse_header(data: Data, size_bytes: int | None = None) -> GgufHeader:
    """The header at the beginning of `data`, of a file of `size_bytes` (None: that is all of it).

    Raises BadHeader, or HeaderGoesOn where `data` is only the beginning of the file and ends within its header.
    """
    return HeaderWalk(data, size_bytes).header()


class HeaderWalk:
    """A cursor over a header that moves on as values are read."""

    def __init__(self, data: Data, size_bytes: int | None = None) -> None:
        self.data, self.at = data, 0
        self._size_bytes = len(data) if size_bytes is None else size_bytes

    def header(self) -> GgufHeader:

        tensor_count, entry_count = self._beginning()
        metadata: dict[str, Scalar | ArrayLength] = {}
        places: dict[str, tuple[int, int]] = {}
        for _ in range(entry_count):
            key = self._name("a key")
            if key in metadata:
                raise BadHeader(f"says {key[:60]!r} twice")
            kind = self.number("I")
            places[key] = kind, self.at
            metadata[key] = self._value(kind, key)
        stated = [self._tensor() for _ in range(tensor_count)]
        alignment = _alignment(metadata.get("general.alignment", DEFAULT_ALIGNMENT))
        start = -(-self.at // alignment) * alignment
        tensors: dict[str, TensorPlace] = {}
        for each in stated:
            if each.name in tensors:
                raise BadHeader(f"has the tensor {each.name[:60]!r} twice")
            tensors[each.name] = self._placed(each, start, alignment)
        _check_overlap(tensors)
        header = GgufHeader(metadata, tensors, places)
        check_values(header)
        return header

    def number(self, code: str) -> int:
        size = struct.calcsize("<" + code)
        self._need(size)
        value = struct.unpack_from("<" + code, self.data, self.at)[0]
        self.at += size
        return int(value)

    def skip_strings(self, count: int) -> None:
        """A vocabulary has 150,000 strings and more: the loop is kept bare."""
        at, data, length_of = self.at, self.data, struct.Struct("<Q").unpack_from
        try:
            for _ in range(count):
                at += 8 + length_of(data, at)[0]
        except (struct.error, OverflowError):
            raise self._ended() from None
        self.at = at
        self._need(0)

    def _beginning(self) -> tuple[int, int]:
        """How many tensors and entries there are."""
        self._need(len(MAGIC))
        if bytes(self.data[: len(MAGIC)]) != MAGIC:
            raise BadHeader("is not a GGUF file")
        self.at = len(MAGIC)
        version = self.number("I")
        if version not in VERSIONS:
            raise BadHeader(f"is GGUF version {version}; versions 2 and 3, little-endian, are supported")
        tensor_count, entry_count = self.number("Q"), self.number("Q")
        room = min(self._size_bytes, MAX_HEADER_BYTES) - self.at
        for count, most, least_bytes, what in (
            (tensor_count, _MOST_TENSORS, _LEAST_TENSOR_BYTES, "tensors"),
            (entry_count, _MOST_KEYS, _LEAST_ENTRY_BYTES, "entries"),
        ):
            if count > most or count * least_bytes > room:
                raise BadHeader(f"claims {count:,} {what}, more than it can hold")
        return tensor_count, entry_count

    def _name(self, what: str) -> str:
        try:
            return str(self._bytes(_MOST_NAME_BYTES, what), "utf-8")
        except UnicodeDecodeError:
            raise BadHeader(f"has {what} that is not UTF-8") from None

    def _bytes(self, most: int, what: str) -> bytes:
        length = self.number("Q")
        if length > most:
            raise BadHeader(f"has {what} of {length:,} bytes; {most:,} are allowed")
        self._need(length)
        self.at += length
        return bytes(self.data[self.at - length : self.at])

    def _value(self, kind: int, key: str) -> Scalar | ArrayLength:
        if kind == STRING:
            return self._bytes(_MOST_TEXT_BYTES, f"a text {key[:60]!r}").decode("utf-8", "replace")
        if kind == ARRAY:
            return self._array(key)
        return self._numbers(kind, 1, key)[0]

    def _array(self, key: str) -> ArrayLength:
        kind, count = self.number("I"), self.number("Q")
        if kind == STRING:
            self._check_room(8 * count, key)
            self.skip_strings(count)
            return ArrayLength(count)
        if kind == ARRAY:
            raise BadHeader(f"holds arrays within the array {key[:60]!r}, which nothing can load")
        if count <= MOST_NUMBERS:
            return ArrayLength(count, self._numbers(kind, count, key))
        self._check_room(struct.calcsize("<" + _code(kind, key)) * count, key)
        self.at += struct.calcsize("<" + _code(kind, key)) * count
        self._need(0)
        return ArrayLength(count)

    def _numbers(self, kind: int, count: int, key: str) -> tuple[int | float | bool, ...]:
        layout = f"<{count}{_code(kind, key)}"
        size = struct.calcsize(layout)
        self._need(size)
        self.at += size
        return struct.unpack_from(layout, self.data, self.at - size)

    def _tensor(self) -> TensorPlace:
        name, dimensions = self._name("a tensor name"), self.number("I")
        if dimensions > MAX_DIMENSIONS:
            raise BadHeader(f"has a tensor {name[:60]!r} of {dimensions:,} dimensions")
        shape = tuple(self.number("Q") for _ in range(dimensions))
        return TensorPlace(name, shape, self.number("I"), self.number("Q"), 0)

    def _placed(self, stated: TensorPlace, start: int, alignment: int) -> TensorPlace:
        said = f"tensor {stated.name[:60]!r}"
        elements, block_bytes = BLOCKS.get(stated.ggml_type, (1, 0))
        if 0 in stated.shape:
            raise BadHeader(f"has an empty {said}")
        if stated.shape and stated.shape[0] % elements:
            raise BadHeader(f"has a {said} whose rows of {stated.shape[0]:,} are not whole blocks of {elements}")
        size_bytes = math.prod(stated.shape) // elements * block_bytes
        end = start + stated.offset + size_bytes
        if end > self._size_bytes:
            raise BadHeader(f"is cut short: {said} ends at byte {end:,}, the file has {self._size_bytes:,}")
        if stated.offset % alignment:
            raise BadHeader(f"has a {said} that does not begin at a multiple of {alignment} bytes")
        return TensorPlace(stated.name, stated.shape, stated.ggml_type, start + stated.offset, size_bytes)

    def _check_room(self, size_bytes: int, key: str) -> None:
        """Before a loop or a format of that length is begun."""
        if size_bytes > min(self._size_bytes, MAX_HEADER_BYTES) - self.at:
            raise BadHeader(f"has an array {key[:60]!r} longer than the file or than any vocabulary")

    def _need(self, size_bytes: int) -> None:
        if self.at + size_bytes > len(self.data):
            raise self._ended()

    def _ended(self) -> Exception:
        if len(self.data) >= min(self._size_bytes, MAX_HEADER_BYTES):
            is_whole = self._size_bytes <= MAX_HEADER_BYTES
            return BadHeader("is cut short: it ends within its header" if is_whole else "has a header without an end")
        return HeaderGoesOn()


def _code(kind: int, key: str) -> str:
    if kind not in SCALARS:
        raise BadHeader(f"has a value {key[:60]!r} of an unknown type {kind}")
    return SCALARS[kind][1]


def _alignment(said: object) -> int:
    if type(said) is not int or not 8 <= said <= _MOST_ALIGNMENT or said & (said - 1):
        raise BadHeader(f"has an alignment of {str(said)[:40]}; a power of two of 8 or more is needed")
    return said


def _check_overlap(tensors: Mapping[str, TensorPlace]) -> None:
    stop, before = 0, ""
    for place in sorted(tensors.values(), key=lambda place: place.offset):
        if place.offset < stop:
            raise BadHeader(f"has overlapping tensors, {before[:60]!r} and {place.name[:60]!r}")
        stop, before = place.offset + place.size_bytes, place.name


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
