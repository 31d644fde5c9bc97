"""Finds metadata and tensors in a GGUF file by walking its header; reads no weights.

Source of the layout: the GGUF specification (ggml/docs/gguf.md), versions 2 and 3, little-endian. The `gguf` package's
reader builds an array for every token of the vocabulary, which takes seconds; the desk needs names, shapes and offsets.
"""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from sparkdesk.errors import ModelLoadError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
MAX_DIMENSIONS = 4
MOST_NUMBERS = 1024

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9

# ggml type -> (elements in a block, bytes of a block), for the types a released file uses.
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip

Scalar = int | float | bool | str


@dataclass(frozen=True, slots=True)
class ArrayLength:
    """An array in the metadata, of which only the length was read, unless it is a short one of numbers."""

    count: int
    numbers: tuple[int | float | bool, ...] = ()
    """Its values; empty for strings, and for more than MOST_NUMBERS."""


@dataclass(frozen=True, slots=True)
class TensorPlace:
    """Where a tensor lies in the file."""

    name: str
    shape: tuple[int, ...]
    """GGUF order: the contiguous dimension first."""
    ggml_type: int
    offset: int
    """Bytes from the start of the file."""
    size_bytes: int
    """0 when the type is not known to this module."""

    @property
    def row_bytes(self) -> int:
        elements, size = _BLOCKS[self.ggml_type]
        return self.shape[0] // elements * size


@dataclass(frozen=True, slots=True)
class GgufFile:
    """The header of one GGUF file."""

    path: Path
    metadata: dict[str, Scalar | ArrayLength]
    tensors: dict[str, TensorPlace]

    @property
    def architecture(self) -> str:
        return str(self.metadata.get("general.architecture", ""))

    @property
    def name(self) -> str:
        return str(self.metadata.get("general.name") or self.path.stem)


def read_gguf(path: Path) -> GgufFile:
    """Read the header of `path`.

    Raises ModelLoadError when the file is missing, is no GGUF, or ends before its last tensor does.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return HeaderWalk(path, data).header()
    except FileNotFoundError:
        raise ModelLoadError(f"There is no file {path}.", "Check the path.") from None
    except (ValueError, OSError) as error:  # an empty file cannot be mapped; a folder cannot be opened
        raise ModelLoadError(f"{path} cannot be read as a GGUF file ({error}).") from error
    except (struct.error, IndexError, UnicodeDecodeError, KeyError, OverflowError) as error:
        raise ModelLoadError(f"{path} has a broken GGUF header.", "Download or convert it again.") from error


def read_head(head: bytes, path: Path, size_bytes: int) -> GgufFile | None:
    """The header out of the first bytes of a file of that size; None where it goes on behind them.

    Raises ModelLoadError where it cannot be the beginning of a GGUF file.
    """
    try:
        return HeaderWalk(path, head, size_bytes).header()
    except (struct.error, IndexError):
        return None
    except (ValueError, KeyError, OverflowError) as error:
        raise ModelLoadError(f"{path} has a broken GGUF header.", "Name another file.") from error


class HeaderWalk:
    """A cursor over the header: of a mapped file, or of the first bytes of one that has `size_bytes`."""

    def __init__(self, path: Path, data: mmap.mmap | bytes, size_bytes: int | None = None) -> None:
        self.path, self.data, self.at = path, data, 0
        self._size_bytes = len(data) if size_bytes is None else size_bytes

    def header(self) -> GgufFile:
        if self.data[:4] != MAGIC:
            raise ModelLoadError(
                f"{self.path} is not a GGUF file.", "A checkpoint folder must be converted first: sparkdesk convert."
            )
        self.at = 4
        version = self.number("I")
        if version not in VERSIONS:
            raise ModelLoadError(f"{self.path} is GGUF version {version}; versions 2 and 3 are supported.")
        tensor_count, metadata_count = self.number("Q"), self.number("Q")
        metadata: dict[str, Scalar | ArrayLength] = {}
        for _ in range(metadata_count):
            key = self.string()
            metadata[key] = self.value(self.number("I"))
        places = [self.tensor() for _ in range(tensor_count)]
        alignment = int(str(metadata.get("general.alignment", DEFAULT_ALIGNMENT)))
        start = -(-self.at // alignment) * alignment
        return GgufFile(self.path, metadata, {place[0]: self.placed(place, start) for place in places})

    def placed(self, place: tuple[str, tuple[int, ...], int, int], start: int) -> TensorPlace:
        name, shape, ggml_type, offset = place
        elements, block_bytes = _BLOCKS.get(ggml_type, (1, 0))
        count = 1
        for dimension in shape:
            count *= dimension
        size_bytes = count // elements * block_bytes
        end = start + offset + size_bytes
        if end > self._size_bytes:
            raise ModelLoadError(
                f"{self.path} is cut short: tensor {name[:60]!r} ends at byte {end:,}, "
                f"the file has {self._size_bytes:,}.",
                "Download or convert it again.",
            )
        return TensorPlace(name, shape, ggml_type, start + offset, size_bytes)

    def tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        name, dimensions = self.string(), self.number("I")
        if dimensions > MAX_DIMENSIONS:
            raise ValueError(f"tensor {name[:60]!r} has {dimensions} dimensions")
        shape = tuple(self.number("Q") for _ in range(dimensions))
        return name, shape, self.number("I"), self.number("Q")

    def number(self, code: str) -> int:
        value = struct.unpack_from("<" + code, self.data, self.at)[0]
        self.at += struct.calcsize("<" + code)
        return int(value)

    def string(self) -> str:
        return self.bytes_here().decode("utf-8")

    def bytes_here(self) -> bytes:
        length = self.number("Q")
        if self.at + length > len(self.data):
            raise IndexError("a string reaches past the end")
        self.at += length
        return self.data[self.at - length : self.at]

    def value(self, kind: int) -> Scalar | ArrayLength:
        if kind == _STRING:
            return self.bytes_here().decode("utf-8", "replace")
        if kind == _ARRAY:
            return self.skip_array()
        code = "<" + _SCALARS[kind]
        value: Scalar = struct.unpack_from(code, self.data, self.at)[0]
        self.at += struct.calcsize(code)
        return value

    def skip_array(self) -> ArrayLength:
        kind, count = self.number("I"), self.number("Q")
        if kind == _STRING:
            self.skip_strings(count)
        elif kind == _ARRAY:
            for _ in range(count):
                self.skip_array()
        else:
            return self.numbers(kind, count)
        if self.at > len(self.data):
            raise IndexError("an array reaches past the end")
        return ArrayLength(count)

    def numbers(self, kind: int, count: int) -> ArrayLength:
        start, size = self.at, struct.calcsize("<" + _SCALARS[kind])
        self.at += count * size
        if self.at > len(self.data):
            raise IndexError("an array reaches past the end")
        found = struct.unpack_from(f"<{count}{_SCALARS[kind]}", self.data, start) if count <= MOST_NUMBERS else ()
        return ArrayLength(count, found)

    def skip_strings(self, count: int) -> None:
        """A vocabulary has 150,000 strings and more: the loop is kept bare."""
        at, data, length_of = self.at, self.data, struct.Struct("<Q").unpack_from
        for _ in range(count):
            at += 8 + length_of(data, at)[0]
        self.at = at
