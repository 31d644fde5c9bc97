"""The target as a draft's conversion sees it: its shape, its tokenizer and single rows of its embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from converters.checkpoint import Checkpoint, open_checkpoint
from converters.errors import BadCheckpoint
from converters.gemma4_shape import text_checkpoint
from converters.gguf_target import GgufTarget
from converters.names import Entry
from converters.origin import Origin, checkpoint_origin
from converters.plan import to_f32
from converters.qwen3 import is_tied
from converters.vocab import read_vocabulary


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

    @property
    def origin(self) -> Origin: ...

    def tokenizer_entries(self) -> tuple[Entry, ...]: ...

    def embedding_rows(self, ids: Sequence[int]) -> NDArray[np.float32]: ...

    def head_rows(self, ids: Sequence[int]) -> NDArray[np.float32]: ...


def open_target(path: Path) -> Target:
    """A target from its checkpoint folder or its GGUF file."""
    if path.is_dir():
        return CheckpointTarget(text_checkpoint(open_checkpoint(path)))
    if path.is_file():
        return GgufTarget(path)
    raise BadCheckpoint(f"The target {path} does not exist.", hint="Check the path.")


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

    @property
    def origin(self) -> Origin:
        return checkpoint_origin(self.checkpoint)

    def tokenizer_entries(self) -> tuple[Entry, ...]:
        return read_vocabulary(self.checkpoint.folder, self.checkpoint.config).entries()

    def embedding_rows(self, ids: Sequence[int]) -> NDArray[np.float32]:
        return self._rows("model.embed_tokens.weight", ids)

    def head_rows(self, ids: Sequence[int]) -> NDArray[np.float32]:
        return self._rows("model.embed_tokens.weight" if is_tied(self.checkpoint) else "lm_head.weight", ids)

    def _rows(self, name: str, ids: Sequence[int]) -> NDArray[np.float32]:
        tensor = self.checkpoint.tensor(name, self.vocab_size, self.hidden_size)
        return to_f32(tensor.values[list(ids)], tensor.dtype)
