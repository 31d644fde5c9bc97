"""A target that is already a GGUF file, as a draft's conversion sees it."""

import math
import mmap
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters import names
from converters.errors import BadCheckpoint
from converters.gguf_header import GgufHeader, TensorPlace, parse_header
from converters.metadata import Entry
from converters.origin import Origin, gguf_origin

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
        return self._tensor(names.TOKEN_EMBEDDINGS).shape[0]

    @property
    def is_exact(self) -> bool:
        from gguf import GGMLQuantizationType

        numbers = {self._tensor(name).type_number for name in (names.TOKEN_EMBEDDINGS, self._head_name)}
        return numbers <= {GGMLQuantizationType[name].value for name in _UNQUANTIZED}

    @property
    def origin(self) -> Origin:
        return gguf_origin(self._header, self._path)

    def tokenizer_entries(self) -> tuple[Entry, ...]:
        entries = self._header.entries.items()
        return tuple(entry for key, entry in entries if key.startswith(names.TOKENIZER_PREFIX))

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
            type_ = GGMLQuantizationType(place.type_number)
            block_values, block_bytes = GGML_QUANT_SIZES[type_]
            shape = place.shape[0], place.shape[1] // block_values * block_bytes  # (vocab, bytes of a row)
            stored = np.ndarray(shape, np.uint8, self._mapped, place.start)
            with np.errstate(invalid="ignore"):  # damaged scales
                rows: NDArray[np.float32] = dequantize(stored[list(ids)], type_)
        except (ValueError, TypeError, NotImplementedError, OverflowError) as error:
            raise _unreadable(self._path) from error
        return rows

    def _tensor(self, name: str) -> TensorPlace:
        place = self._header.tensors.get(name)
        if place is None or len(place.shape) != 2 or math.prod(place.shape) == 0:
            raise BadCheckpoint(f"{self._path} has no tensor {name!r}; it is not a whole target model.")
        return place

    def _shape_value(self, template: str) -> int:
        key = names.key(template, str(self._header.value("general.architecture")))
        value = self._header.value(key)
        if not isinstance(value, int):
            raise BadCheckpoint(f"{self._path} does not say {key!r}; it is not a whole target model.")
        return value


def _open(path: Path) -> tuple[mmap.mmap, GgufHeader]:
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return mapped, parse_header(memoryview(mapped))
    except (OSError, ValueError, KeyError, struct.error, OverflowError) as error:
        raise _unreadable(path) from error


def _unreadable(path: Path) -> BadCheckpoint:
    return BadCheckpoint(
        f"{path} is not a GGUF file this converter can read: it is damaged, unfinished or too new.",
        hint="Give the target's checkpoint folder instead, or download the file again.",
    )
