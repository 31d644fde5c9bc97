"""Reads a converted file back with the gguf package's own reader."""

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, dequantize
from numpy.typing import NDArray


class Reread:
    def __init__(self, path: Path) -> None:
        self._reader = GGUFReader(path)
        self.tensors = {tensor.name: tensor for tensor in self._reader.tensors}

    def value(self, key: str) -> Any:
        field = self._reader.fields.get(key)
        return None if field is None else field.contents()

    def encodings(self) -> dict[str, str]:
        return {name: tensor.tensor_type.name for name, tensor in self.tensors.items()}

    def raw(self, name: str) -> bytes:
        return bytes(self.tensors[name].data.tobytes())

    def floats(self, name: str) -> NDArray[np.float32]:
        tensor = self.tensors[name]
        values: NDArray[np.float32] = dequantize(tensor.data, tensor.tensor_type)
        return values
