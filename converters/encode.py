"""Values of a checkpoint into the bytes of a GGUF tensor: F32, F16, BF16 and Q8_0.

Works on a few rows at a time and keeps nothing.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.errors import BadCheckpoint, UnsupportedModel

Q8_0_BLOCK = 32
_Q8_0_BLOCK_BYTES = 34  # one f16 scale and 32 i8
_F16_MAX = 65504.0
_ITEM_BYTES = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8}


def encoded_bytes(shape: tuple[int, ...], encoding: str) -> int:
    if encoding == "Q8_0":
        return math.prod(shape) // Q8_0_BLOCK * _Q8_0_BLOCK_BYTES
    return math.prod(shape) * _ITEM_BYTES[encoding]


def encode(values: NDArray[Any], dtype: str, *, encoding: str, name: str) -> NDArray[Any]:
    """The bytes of `values` (`dtype` as in safetensors) in `encoding`; `name` is for errors."""
    _refuse_non_finite(values, dtype, name)
    if dtype == encoding:
        return values
    floats = to_f32(values, dtype)
    if encoding == "F32":
        return floats
    if encoding == "BF16":
        return _to_bf16(floats)
    _refuse_beyond_f16(floats, name, largest=_F16_MAX if encoding == "F16" else 127 * _F16_MAX)
    return floats.astype("<f2") if encoding == "F16" else _to_q8_0(floats)


def to_f32(values: NDArray[Any], dtype: str) -> NDArray[np.float32]:
    if dtype != "BF16":
        return values.astype("<f4", copy=False)
    # A bfloat16 is the upper half of a float; writing only that half is the fastest way numpy has.
    halves = np.zeros((*values.shape, 2), "<u2")
    halves[..., 1] = values
    return halves.view("<f4")[..., 0]


def _to_bf16(floats: NDArray[np.float32]) -> NDArray[np.uint16]:
    bits = np.ascontiguousarray(floats).view("<u4")
    # Round to nearest, ties to even; finite values cannot carry into a NaN.
    return ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype("<u2")


def _to_q8_0(floats: NDArray[np.float32]) -> NDArray[np.uint8]:
    flat = floats.reshape(-1)
    # reduceat is twice as fast here as max(axis=1)
    peaks = np.maximum.reduceat(np.abs(flat), np.arange(0, flat.size, Q8_0_BLOCK))  # (blocks,)
    scales = peaks / np.float32(127)
    inverse = np.divide(np.float32(1), scales, out=np.zeros_like(scales), where=scales > 0)
    scaled = flat.reshape(-1, Q8_0_BLOCK) * inverse[:, None]
    encoded = np.empty((len(scales), _Q8_0_BLOCK_BYTES), np.uint8)
    encoded[:, :2] = scales.astype("<f2").view(np.uint8).reshape(-1, 2)
    np.copyto(encoded[:, 2:].view(np.int8), np.rint(scaled, out=scaled), casting="unsafe")
    return encoded


def _refuse_non_finite(values: NDArray[Any], dtype: str, name: str) -> None:
    if dtype == "BF16":
        exponent = np.uint16(0x7F80)  # all ones: infinity or NaN
        is_sound = (values & exponent).max(initial=0) != exponent
    else:
        is_sound = bool(np.isfinite(values).all())
    if not is_sound:
        raise BadCheckpoint(f"Tensor {name!r} contains NaN or infinite values.", hint="Download the checkpoint again.")


def _refuse_beyond_f16(floats: NDArray[np.float32], name: str, *, largest: float) -> None:
    peak = float(max(floats.max(initial=0), -floats.min(initial=0)))
    if peak > largest:
        raise UnsupportedModel(
            f"Tensor {name!r} reaches {peak:.3g}, more than this type can hold.", hint="Choose BF16 or F32."
        )
