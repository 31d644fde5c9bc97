"""Q8_0, Q5_0 and Q4_0: blocks of 32 weights that share a scale, bit for bit as ggml's reference quantizes them."""

import numpy as np
from numpy.typing import NDArray

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
