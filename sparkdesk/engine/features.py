"""Feature rows waiting to be absorbed by a draft, kept in half the memory while speculation is off."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sparkdesk.engine.block import FloatArray

_ROUND_UP = np.uint32(0x7FFF)


class PendingFeatures:
    """Rows of consecutive positions, from `start` on, as bfloat16.

    bfloat16 because hidden states have outliers beyond float16's range, and because a draft only has to guess well.
    """

    def __init__(self) -> None:
        self.start = 0
        self._chunks: list[NDArray[np.uint16]] = []  # each (rows, layers * width)
        self.count = 0

    @property
    def end(self) -> int:
        return self.start + self.count

    def append(self, rows: FloatArray) -> None:
        self._chunks.append(_to_bfloat16(rows))
        self.count += len(rows)

    def take(self) -> FloatArray:
        """All rows, (count, layers * width); nothing is left."""
        rows = _from_bfloat16(np.concatenate(self._chunks))
        self.restart(self.end)
        return rows

    def peek(self) -> FloatArray:
        """All rows, (count, layers * width); they stay."""
        return _from_bfloat16(np.concatenate(self._chunks))

    def truncate(self, length: int) -> None:
        """Forget the rows of positions `length` and after."""
        while self._chunks and self.end > length:
            last = self._chunks[-1]
            keep = max(0, len(last) - (self.end - length))
            self.count -= len(last) - keep
            if keep:
                self._chunks[-1] = last[:keep]
            else:
                self._chunks.pop()
        if not self._chunks:
            self.start = min(self.start, length)

    def chunks(self) -> tuple[NDArray[np.uint16], ...]:
        """The rows as they are kept; none of the arrays is ever written to again."""
        return tuple(self._chunks)

    def extend(self, chunks: Sequence[NDArray[np.uint16]]) -> None:
        self._chunks.extend(chunks)
        self.count += sum(map(len, chunks))

    def restart(self, start: int) -> None:
        self.start, self.count = start, 0
        self._chunks.clear()


def _to_bfloat16(rows: FloatArray) -> NDArray[np.uint16]:
    bits = np.ascontiguousarray(rows, np.float32).view(np.uint32)
    return ((bits + _ROUND_UP + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _from_bfloat16(rows: NDArray[np.uint16]) -> FloatArray:
    return (rows.astype(np.uint32) << 16).view(np.float32)
