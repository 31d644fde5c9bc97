"""The entries and tensor places of a GGUF file, from its header.

The gguf package's reader makes an array of every token and merge: nine seconds for a large vocabulary.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from converters.metadata import Entry

_SCALARS = {
    0: ("UINT8", "B"),
    1: ("INT8", "b"),
    2: ("UINT16", "H"),
    3: ("INT16", "h"),
    4: ("UINT32", "I"),
    5: ("INT32", "i"),
    6: ("FLOAT32", "f"),
    7: ("BOOL", "?"),
    10: ("UINT64", "Q"),
    11: ("INT64", "q"),
    12: ("FLOAT64", "d"),
}
_STRING, _ARRAY = 8, 9
_DEFAULT_ALIGNMENT = 32


@dataclass(frozen=True, slots=True)
class TensorPlace:
    type_number: int
    shape: tuple[int, ...]
    """As in numpy: the contiguous dimension last."""

    start: int
    """First byte in the file."""


@dataclass(frozen=True, slots=True)
class GgufHeader:
    entries: Mapping[str, Entry]
    tensors: Mapping[str, TensorPlace]

    def value(self, key: str) -> Any:
        entry = self.entries.get(key)
        return None if entry is None else entry.value


def parse_header(data: bytes | memoryview) -> GgufHeader:
    """Raises ValueError, struct.error or KeyError where the bytes are no GGUF."""
    cursor = _Cursor(data)
    if bytes(data[:4]) != b"GGUF" or cursor.skip(4).number("I") not in (2, 3):
        raise ValueError("no GGUF of a known version")
    tensor_count, entry_count = cursor.number("Q"), cursor.number("Q")
    entries = dict(cursor.entry() for _ in range(entry_count))
    places = dict(cursor.tensor() for _ in range(tensor_count))
    alignment = entries["general.alignment"].value if "general.alignment" in entries else _DEFAULT_ALIGNMENT
    if not isinstance(alignment, int) or alignment < 1:
        raise ValueError("no sane alignment")
    data_start = -(-cursor.at // alignment) * alignment
    moved = {name: TensorPlace(p.type_number, p.shape, data_start + p.start) for name, p in places.items()}
    return GgufHeader(entries, moved)


class _Cursor:
    """A place in the header that moves on as values are read."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = data
        self.at = 0

    def skip(self, size_bytes: int) -> "_Cursor":
        self.at += size_bytes
        return self

    def number(self, code: str) -> Any:
        value = struct.unpack_from(f"<{code}", self._data, self.at)[0]
        self.at += struct.calcsize(f"<{code}")
        return value

    def string(self) -> str:
        return self.strings(1)[0]

    def entry(self) -> tuple[str, Entry]:
        key, kind = self.string(), self.number("I")
        if kind == _STRING:
            return key, Entry(key, self.string(), "STRING")
        if kind == _ARRAY:
            return key, self._array(key)
        name, code = _SCALARS[kind]
        return key, Entry(key, self.number(code), name)

    def tensor(self) -> tuple[str, TensorPlace]:
        name, dimension_count = self.string(), self.number("I")
        if dimension_count > 4:
            raise ValueError("more dimensions than a tensor can have")
        shape = tuple(self.number("Q") for _ in range(dimension_count))[::-1]
        return name, TensorPlace(self.number("I"), shape, self.number("Q"))

    def _array(self, key: str) -> Entry:
        kind, count = self.number("I"), self.number("Q")
        if kind == _STRING:
            return Entry(key, self.strings(count), "ARRAY", "STRING")
        name, code = _SCALARS[kind]
        if count > len(self._data):  # before struct builds a format of that length
            raise ValueError("an array longer than the file")
        layout = struct.Struct(f"<{count}{code}")
        values = list(layout.unpack_from(self._data, self.at))
        self.at += layout.size
        return Entry(key, values, "ARRAY", name)

    def strings(self, count: int) -> list[str]:
        # The loop is bare: a vocabulary has 300,000 strings with its merges.
        at, data, length_of, values = self.at, self._data, struct.Struct("<Q").unpack_from, []
        for _ in range(count):
            start = at + 8
            at = start + length_of(data, at)[0]
            if at > len(data):
                raise ValueError("a string reaches past the end")
            values.append(str(data[start:at], "utf-8"))
        self.at = at
        return values
