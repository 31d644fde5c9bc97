"""The target as a draft's conversion sees it: its shape, its tokenizer and single rows of its embeddings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from converters import names
from converters.checkpoint import Checkpoint, open_checkpoint
from converters.encode import to_f32
from converters.errors import BadCheckpoint
from converters.metadata import Entry
from converters.qwen3 import is_tied
from converters.vocab import read_vocabulary

_UNQUANTIZED = ("F32", "F16", "BF16")


class Target(Protocol):
    @property
    def layer_count(self) -> int: ...
    @property
    def hidden_size(self) -> int: ...
    @property
    def vocab_size(self) -> int: ...
    @property
    def is_exact(self) -> bool:
        """Whether its embeddings are as they were trained, not quantized."""
        ...

    def tokenizer_entries(self) -> tuple[Entry, ...]: ...

    def embedding_rows(self, ids: Sequence[int]) -> NDArray[np.float32]: ...

    def head_rows(self, ids: Sequence[int]) -> NDArray[np.float32]: ...


def open_target(path: Path) -> Target:
    """A target from its checkpoint folder or its GGUF file."""
    if path.is_dir():
        return CheckpointTarget(open_checkpoint(path))
    if path.is_file():
        return GgufTarget(path)
    raise BadCheckpoint(f"The target {path} does not exist.")


@dataclass(frozen=True, slots=True)
class CheckpointTarget:
    checkpoint: Checkpoint

    @property
    def layer_count(self) -> int:
        return self.checkpoint.config.count("num_hidden_layers")

    @property
    def hidden_size(self) -> int:
        return self.checkpoint.config.count("hidden_size")

    @property
    def vocab_size(self) -> int:
        return self.checkpoint.config.count("vocab_size")

    @property
    def is_exact(self) -> bool:
        return True

    def tokenizer_entries(self) -> tuple[Entry, ...]:
        return read_vocabulary(self.checkpoint.folder, self.checkpoint.config).entries()

    def embedding_rows(self, ids: Sequence[int]) -> NDArray[np.float32]:
        return self._rows("model.embed_tokens.weight", ids)

    def head_rows(self, ids: Sequence[int]) -> NDArray[np.float32]:
        return self._rows("model.embed_tokens.weight" if is_tied(self.checkpoint) else "lm_head.weight", ids)

    def _rows(self, name: str, ids: Sequence[int]) -> NDArray[np.float32]:
        tensor = self.checkpoint.tensor(name, self.vocab_size, self.hidden_size)
        return to_f32(tensor.values[list(ids)], tensor.dtype)


class GgufTarget:
    """Reads what it needs through the gguf package's reader."""

    def __init__(self, path: Path) -> None:
        from gguf import GGUFReader

        try:
            self._reader = GGUFReader(path)
        except (OSError, ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
            raise BadCheckpoint(
                f"{path} is not a GGUF file this converter can read: it is damaged, unfinished or too new.",
                hint="Give the target's checkpoint folder instead, or download the file again.",
            ) from error
        self._path = path
        self._tensors: Mapping[str, Any] = {tensor.name: tensor for tensor in self._reader.tensors}

    @property
    def layer_count(self) -> int:
        return self._shape_value(names.BLOCK_COUNT)

    @property
    def hidden_size(self) -> int:
        return self._shape_value(names.EMBEDDING_LENGTH)

    @property
    def vocab_size(self) -> int:
        return int(self._tensor(names.TOKEN_EMBEDDINGS).shape[1])

    @property
    def is_exact(self) -> bool:
        kinds = {self._tensor(name).tensor_type.name for name in (names.TOKEN_EMBEDDINGS, self._head_name)}
        return kinds <= set(_UNQUANTIZED)

    def tokenizer_entries(self) -> tuple[Entry, ...]:
        fields = self._reader.fields.items()
        return tuple(_entry(key, field) for key, field in fields if key.startswith(names.TOKENIZER_PREFIX))

    def embedding_rows(self, ids: Sequence[int]) -> NDArray[np.float32]:
        return self._rows(names.TOKEN_EMBEDDINGS, ids)

    def head_rows(self, ids: Sequence[int]) -> NDArray[np.float32]:
        return self._rows(self._head_name, ids)

    @property
    def _head_name(self) -> str:
        return names.OUTPUT_HEAD if names.OUTPUT_HEAD in self._tensors else names.TOKEN_EMBEDDINGS

    def _rows(self, name: str, ids: Sequence[int]) -> NDArray[np.float32]:
        from gguf import dequantize

        tensor = self._tensor(name)
        rows: NDArray[np.float32] = dequantize(tensor.data[list(ids)], tensor.tensor_type)
        return rows

    def _tensor(self, name: str) -> Any:
        if name not in self._tensors:
            raise BadCheckpoint(f"{self._path} has no tensor {name!r}; it is not a whole target model.")
        return self._tensors[name]

    def _shape_value(self, template: str) -> int:
        field = self._reader.fields.get("general.architecture")
        key = names.key(template, str(field.contents()) if field else "")
        value = self._reader.fields.get(key)
        if value is None:
            raise BadCheckpoint(f"{self._path} does not say {key!r}; it is not a whole target model.")
        return int(value.contents())


def _entry(key: str, field: Any) -> Entry:
    item_kind = field.types[1].name if len(field.types) > 1 else None
    return Entry(key, field.contents(), field.types[0].name, item_kind)
