"""A target that is already a GGUF file, as a draft's conversion sees it."""

import math
import mmap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters import names
from converters.errors import BadCheckpoint
from converters.gguf_header import entries, parse_header
from converters.gguf_types import BadHeader, GgufHeader, TensorPlace
from converters.names import Entry
from converters.origin import Origin, gguf_origin
from converters.regular_file import open_regular

_UNQUANTIZED = ("F32", "F16", "BF16")


class GgufTarget:
    """Reads its header at once, and rows of its embeddings when asked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mapped, self._header = _open(path)

    @property
    def layer_count(self) -> int:
        return self._shape_value(names.BLOCK_COUNT)

    @property
    def hidden_size(self) -> int:
        return self._shape_value(names.EMBEDDING_LENGTH)

    @property
    def vocab_size(self) -> int:
        return self._tensor(names.TOKEN_EMBEDDINGS).shape[1]

    @property
    def is_exact(self) -> bool:
        from gguf import GGMLQuantizationType

        numbers = {self._tensor(name).ggml_type for name in (names.TOKEN_EMBEDDINGS, self._head_name)}
        return numbers <= {GGMLQuantizationType[name].value for name in _UNQUANTIZED}

    @property
    def origin(self) -> Origin:
        return gguf_origin(self._header, self._path)

    def tokenizer_entries(self) -> tuple[Entry, ...]:
        try:
            return tuple(entries(self._mapped, self._header, names.TOKENIZER_PREFIX))
        except BadHeader as error:
            raise _unreadable(self._path, error) from error

    def embedding_rows(self, ids: Sequence[int]) -> NDArray[np.float32]:
        return self._rows(names.TOKEN_EMBEDDINGS, ids)

    def head_rows(self, ids: Sequence[int]) -> NDArray[np.float32]:
        return self._rows(self._head_name, ids)

    @property
    def _head_name(self) -> str:
        return names.OUTPUT_HEAD if names.OUTPUT_HEAD in self._header.tensors else names.TOKEN_EMBEDDINGS

    def _rows(self, name: str, ids: Sequence[int]) -> NDArray[np.float32]:
        from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize

        place = self._tensor(name)
        try:
            type_ = GGMLQuantizationType(place.ggml_type)
            block_values, block_bytes = GGML_QUANT_SIZES[type_]
            columns, rows_in_file = place.shape
            shape = rows_in_file, columns // block_values * block_bytes  # (vocab, bytes of a row)
            stored = np.ndarray(shape, np.uint8, self._mapped, place.offset)
            with np.errstate(invalid="ignore"):  # damaged scales
                rows: NDArray[np.float32] = dequantize(stored[list(ids)], type_)
        except (ValueError, TypeError, NotImplementedError, OverflowError) as error:
            raise _unreadable(self._path, error) from error
        return rows

    def _tensor(self, name: str) -> TensorPlace:
        place = self._header.tensors.get(name)
        if place is None or len(place.shape) != 2 or math.prod(place.shape) == 0:
            raise BadCheckpoint(f"{self._path} has no tensor {name!r}; it is not a whole target model.")
        return place

    def _shape_value(self, template: str) -> int:
        key = names.key(template, str(self._header.metadata.get("general.architecture")))
        value = self._header.metadata.get(key)
        if not isinstance(value, int):
            raise BadCheckpoint(f"{self._path} does not say {key!r}; it is not a whole target model.")
        return value


def _open(path: Path) -> tuple[mmap.mmap, GgufHeader]:
    try:
        with open_regular(path) as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return mapped, parse_header(mapped)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BadCheckpoint:
    reason = f"it {error}" if isinstance(error, BadHeader) else getattr(error, "strerror", None) or str(error)
    return BadCheckpoint(
        f"{path} is not a GGUF file this converter can read: {reason}.",
        hint="Give the target's checkpoint folder instead, or download the file again.",
    )
