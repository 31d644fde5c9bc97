"""What the header of a GGUF file amounts to: values, where tensors lie, and how large they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# ggml type -> (elements in a block, bytes of a block), for the types a released file uses.
BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip

Scalar = int | float | bool | str


class BadHeader(ValueError):
    """What is wrong with a header, as the rest of a sentence that begins with the file's name."""


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
        elements, size = BLOCKS[self.ggml_type]
        return self.shape[0] // elements * size


@dataclass(frozen=True, slots=True)
class GgufHeader:
    metadata: Mapping[str, Scalar | ArrayLength]
    tensors: Mapping[str, TensorPlace]
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """The type of each value, and its first byte in the file."""
