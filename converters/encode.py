"""Values of a checkpoint into the bytes of a GGUF tensor: F32, F16, BF16, and blocks of Q8_0, Q5_0 and Q4_0.

Works on a few rows at a time and keeps nothing. Weights that are no numbers are found in what comes out, which is
smaller or at hand anyway, so looking for them costs next to nothing.
"""

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.blocks import BLOCK_BYTES, BLOCK_VALUES, block_scales, quantize_blocks
from converters.errors import BadCheckpoint, UnsupportedModel

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
