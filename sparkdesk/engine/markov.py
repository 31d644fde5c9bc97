"""Rows of a draft's Markov head, read from its GGUF file and dequantized on demand.

bias(previous, ids) = W2[ids] . W1[previous]  (DSpark paper, section 3.1: the vanilla head)
"""

import mmap
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.regular_file import open_regular
from sparkdesk.errors import ModelLoadError
from sparkdesk.gguf.header import GgufFile, TensorPlace

W1, W2 = "markov_w1.weight", "markov_w2.weight"
DRAFT_TO_TARGET = "d2t"
"""Of a draft with a vocabulary of its own: the target's id of each of its tokens."""
_CACHED_ROWS = 4096
_Q8_BLOCK_BYTES = 34  # a float16 scale and 32 values
_I64 = 27  # of ggml_type
_SMALL_BYTES = 32 << 20
"""A tensor up to this size is kept dequantized."""


class _Rows:
    """A (rows, columns) tensor in a mapped file."""

    def __init__(self, data: mmap.mmap, place: TensorPlace, path: Path) -> None:
        from gguf import GGMLQuantizationType, quants  # only a draft with a Markov head needs it

        self._dequantize = quants.dequantize
        try:
            self._kind = GGMLQuantizationType(place.ggml_type)
        except ValueError:
            raise ModelLoadError(f"{path.name}: {place.name} has an unknown type {place.ggml_type}.") from None
        if len(place.shape) != 2 or not place.size_bytes:
            raise ModelLoadError(f"{path.name}: {place.name} has a shape or a type that no Markov head has.")
        columns, count = place.shape
        self._bytes = np.frombuffer(data, np.uint8, place.size_bytes, place.offset).reshape(count, place.row_bytes)
        self._values = self._unpack(self._bytes) if columns * count * 4 <= _SMALL_BYTES else None

    def __getitem__(self, ids: NDArray[np.intp]) -> NDArray[np.float32]:
        """(len(ids), columns)"""
        return self._unpack(self._bytes[ids]) if self._values is None else self._values[ids]

    def dot(self, ids: NDArray[np.intp], state: NDArray[np.float32]) -> NDArray[np.float32]:
        """(len(ids),) products of rows with `state` (columns,): the usual type without unpacking it first."""
        if self._values is not None or self._kind.name != "Q8_0":
            return self[ids] @ state
        blocks = self._bytes[ids].reshape(len(ids), -1, _Q8_BLOCK_BYTES)
        scales = np.ascontiguousarray(blocks[:, :, :2]).view(np.float16)[:, :, 0].astype(np.float32)
        values = blocks[:, :, 2:].view(np.int8).astype(np.float32)
        found: NDArray[np.float32] = (np.einsum("nbk,bk->nb", values, state.reshape(-1, 32)) * scales).sum(axis=1)
        return found

    def _unpack(self, rows: NDArray[np.uint8]) -> NDArray[np.float32]:
        packed = np.ascontiguousarray(rows)
        if self._kind.name == "F32":
            return packed.view(np.float32)
        if self._kind.name == "F16":
            return packed.view(np.float16).astype(np.float32)
        return np.asarray(self._dequantize(packed, self._kind), np.float32)


class MarkovHead:
    """Bias of the previous token on the next one, for a few candidates at a time."""

    def __init__(self, file: GgufFile) -> None:
        with open_regular(file.path) as handle:
            self._data = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        self._w1 = _Rows(self._data, file.tensors[W1], file.path)
        self._w2 = _Rows(self._data, file.tensors[W2], file.path)
        self._row_of = self._rows_of_draft(file)
        self._state = lru_cache(maxsize=_CACHED_ROWS)(self._state_of)

    def bias(self, previous: int, ids: NDArray[np.intp]) -> NDArray[np.float32]:
        """(len(ids),) what is added to the logits of `ids` after the token `previous`."""
        return self.change(self._state(previous), ids)

    def difference(self, previous: int, instead_of: int, ids: NDArray[np.intp]) -> NDArray[np.float32]:
        """(len(ids),) bias after `previous` minus bias after `instead_of`."""
        return self.change(self._state(previous) - self._state(instead_of), ids)

    def change(self, state: NDArray[np.float32], ids: NDArray[np.intp]) -> NDArray[np.float32]:
        if not len(ids):  # numpy cannot reshape what is empty by a -1
            return np.zeros(0, np.float32)
        return self._w2.dot(ids if self._row_of is None else self._row_of[ids], state)

    def _rows_of_draft(self, file: GgufFile) -> NDArray[np.intp] | None:
        """(vocabulary,) row of W2 for every token of the target; any row for those the draft never says."""
        place = file.tensors.get(DRAFT_TO_TARGET)
        if place is None:
            return None
        rows = np.zeros(file.tensors[W1].shape[1], np.intp)
        ids = np.frombuffer(self._data, np.int64, place.size_bytes // 8, place.offset)
        if place.ggml_type != _I64 or not len(ids) or ids.min() < 0 or ids.max() >= len(rows):
            raise ModelLoadError(f"{file.path.name}: {DRAFT_TO_TARGET} names tokens that the target does not have.")
        rows[ids] = np.arange(len(ids))
        return rows

    def _state_of(self, token: int) -> NDArray[np.float32]:
        row: NDArray[np.float32] = self._w1[np.array([token])][0]
        return row
