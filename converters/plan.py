"""What a GGUF file will hold, decided before the first byte is written."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.names import Entry
from converters.safetensors import StoredTensor

BLOCK_VALUES = 32
BLOCK_BYTES = {"Q8_0": 2 + 32, "Q5_0": 2 + 4 + 16, "Q4_0": 2 + 16}  # an f16 scale, high bits, values

# C's roundf, halves away from zero: the largest float below a half, added with the sign of the value before cutting.
# A half itself would carry 0.49999997 up to one.
_HALF_BITS = np.nextafter(np.float32(0.5), np.float32(0)).view(np.uint32)
_SIGN_BIT = np.uint32(1 << 31)


def quantize_blocks(floats: NDArray[np.float32], encoding: str) -> NDArray[np.uint8]:
    """(blocks, bytes of a block) from flat weights. A scale is infinite or NaN where a weight is, or is too large."""
    blocks = floats.reshape(-1, BLOCK_VALUES)
    encoded = np.empty((len(blocks), BLOCK_BYTES[encoding]), np.uint8)
    with np.errstate(all="ignore"):
        if encoding == "Q8_0":
            _fill_q8_0(encoded, blocks)
        else:
            _fill_low_bit(encoded, blocks, levels=32 if encoding == "Q5_0" else 16)
    return encoded


def block_scales(encoded: NDArray[np.uint8]) -> NDArray[np.float16]:
    return np.ascontiguousarray(encoded[:, :2]).view("<f2")[:, 0]


def _fill_q8_0(encoded: NDArray[np.uint8], blocks: NDArray[np.float32]) -> None:
    scales = _largest(np.abs(blocks)) / np.float32(127)  # (blocks,)
    scaled = blocks * _inverse(scales)[:, None]
    halves = scaled.view(np.uint32) & _SIGN_BIT
    halves |= _HALF_BITS
    scaled += halves.view(np.float32)
    _put_scales(encoded, scales)
    np.copyto(encoded[:, 2:].view(np.int8), scaled, casting="unsafe")


def _fill_low_bit(encoded: NDArray[np.uint8], blocks: NDArray[np.float32], *, levels: int) -> None:
    scales = _extremes(blocks) / np.float32(-levels // 2)  # (blocks,)
    scaled = blocks * _inverse(scales)[:, None]
    scaled += np.float32(levels // 2 + 0.5)
    values = np.minimum(scaled.astype(np.uint8), levels - 1)  # (blocks, 32)
    _put_scales(encoded, scales)
    if levels == 32:
        encoded[:, 2:6] = np.packbits(values >> np.uint8(4), axis=-1, bitorder="little")
        values &= np.uint8(15)
    # The first half of a block lies in the low nibbles, the second in the high ones.
    np.bitwise_or(values[:, :16], values[:, 16:] << np.uint8(4), out=encoded[:, -16:])


def _largest(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest of each block. Halving the whole array is faster than numpy's reductions over 32."""
    row = blocks.reshape(-1)
    while row.size > len(blocks):
        row = np.maximum(row[0::2], row[1::2])
    return row


def _extremes(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    """The value farthest from zero in each block, with its sign; of two equally far the first."""
    highest, lowest = _largest(blocks), -_largest(-blocks)
    extremes = np.where(highest > -lowest, highest, lowest)
    ties = np.flatnonzero(highest == -lowest)
    first = np.abs(blocks[ties]).argmax(axis=1)
    extremes[ties] = blocks[ties, first]
    found: NDArray[np.float32] = extremes + np.float32(0)  # makes -0 a 0, which the reference starts from
    return found


def _inverse(scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """Zero where the scale is, or where it is too small to have an inverse."""
    inverse = np.float32(1) / scales
    inverse[np.isinf(inverse)] = 0
    return inverse


def _put_scales(encoded: NDArray[np.uint8], scales: NDArray[np.float32]) -> None:
    encoded[:, :2] = scales.astype("<f2").view(np.uint8).reshape(-1, 2)


BEST_VALUES = 256 * 1024
"""So many at a time stay in the processor's cache: twice as fast as a million."""

_ITEM_BYTES = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8}
_BITS = {"F32": "<u4", "F16": "<u2", "BF16": "<u2"}
_EXPONENT_BITS = {"F32": 0x7F800000, "F16": 0x7C00, "BF16": 0x7F80}  # all set: infinity or NaN


def encoded_bytes(shape: tuple[int, ...], encoding: str) -> int:
    if encoding in BLOCK_BYTES:
        return math.prod(shape) // BLOCK_VALUES * BLOCK_BYTES[encoding]
    return math.prod(shape) * _ITEM_BYTES[encoding]


def encode(values: NDArray[Any], dtype: str, *, encoding: str, name: str) -> NDArray[Any]:
    """The bytes of `values` (`dtype` as in safetensors) in `encoding`; `name` is for errors."""
    encoded = _encoded(values, dtype, encoding)
    if not _is_finite(encoded, encoding):
        raise _explained(values, dtype, encoding=encoding, name=name)
    return encoded


def to_f32(values: NDArray[Any], dtype: str) -> NDArray[np.float32]:
    if dtype != "BF16":
        return values.astype("<f4", copy=False)
    bits = values.astype("<u4")  # a bfloat16 is the upper half of a float
    bits <<= np.uint32(16)
    return bits.view("<f4")


def _encoded(values: NDArray[Any], dtype: str, encoding: str) -> NDArray[Any]:
    if dtype == encoding:
        return values
    if (dtype, encoding) == ("BF16", "F16"):
        return _f16_of_bf16().take(values, mode="wrap")
    floats = to_f32(values, dtype)
    if encoding in BLOCK_BYTES:
        return quantize_blocks(floats, encoding)
    if encoding == "F16":
        return _to_f16(floats)
    return _to_bf16(floats) if encoding == "BF16" else floats


@cache
def _f16_of_bf16() -> NDArray[np.float16]:
    """Of every bfloat16 there is: looking it up is four times as fast as computing it."""
    return _to_f16(to_f32(np.arange(1 << 16, dtype="<u2"), "BF16"))


def _to_f16(floats: NDArray[np.float32]) -> NDArray[np.float16]:
    with np.errstate(over="ignore"):
        return floats.astype("<f2")


def _to_bf16(floats: NDArray[np.float32]) -> NDArray[np.uint16]:
    bits = np.ascontiguousarray(floats).view("<u4")
    # Round to nearest, ties to even. A NaN could carry into a number, so it is cut.
    rounded = bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))
    return (np.where(np.isnan(floats), bits | np.uint32(1 << 22), rounded) >> np.uint32(16)).astype("<u2")


def _is_finite(encoded: NDArray[Any], encoding: str) -> bool:
    if encoding in BLOCK_BYTES:
        encoded, encoding = block_scales(encoded), "F16"
    if encoding not in _EXPONENT_BITS:  # whole numbers
        return True
    exponent = np.dtype(_BITS[encoding]).type(_EXPONENT_BITS[encoding])
    return bool((encoded.view(_BITS[encoding]) & exponent).max(initial=0) != exponent)


def _explained(values: NDArray[Any], dtype: str, *, encoding: str, name: str) -> BadCheckpoint | UnsupportedModel:
    floats = to_f32(values, dtype)
    if not np.isfinite(floats).all():
        return BadCheckpoint(f"Tensor {name!r} contains NaN or infinite values.", hint="Download the checkpoint again.")
    return UnsupportedModel(
        f"Tensor {name!r} reaches {np.abs(floats).max():.3g}, more than {encoding} can hold.",
        hint="Choose F32." if encoding == "BF16" else "Choose BF16 or F32.",
    )


@dataclass(frozen=True, slots=True)
class PlannedTensor:
    name: str
    source: StoredTensor
    encoding: str
    """F32, F16, BF16, Q8_0, Q5_0 or Q4_0; I64 for a table of numbers."""

    @property
    def size_bytes(self) -> int:
        return encoded_bytes(self.source.shape, self.encoding)


@dataclass(frozen=True, slots=True)
class FilePlan:
    architecture: str
    entries: tuple[Entry, ...]
    tensors: tuple[PlannedTensor, ...]
    notice: str = ""
    """What of the checkpoint does not come along, in words for the user."""

    @property
    def size_bytes(self) -> int:
        return sum(tensor.size_bytes for tensor in self.tensors)

    @property
    def weight_count(self) -> int:
        return sum(tensor.source.values.size for tensor in self.tensors)


def matrix(name: str, source: StoredTensor, encoding: str) -> PlannedTensor:
    """A matrix in the wanted type, or F16 where its rows do not divide into blocks."""
    fits = encoding not in BLOCK_BYTES or source.shape[-1] % BLOCK_VALUES == 0
    return PlannedTensor(name, source, encoding if fits else "F16")


def exact(name: str, source: StoredTensor) -> PlannedTensor:
    """A small tensor kept in F32: norms and single rows, which llama.cpp expects that way."""
    return PlannedTensor(name, source, "F32")


def lossless_encoding(tensors: Iterable[StoredTensor]) -> str:
    """The smallest type that loses nothing of these matrices, for a file that is quantized afterwards."""
    dtypes = {tensor.dtype for tensor in tensors if len(tensor.shape) == 2}
    return dtypes.pop() if dtypes in ({"BF16"}, {"F16"}) else "F32"
