"""What a GGUF file will hold, decided before the first byte is written."""

from collections.abc import Iterable
from dataclasses import dataclass

from converters.blocks import BLOCK_BYTES, BLOCK_VALUES
from converters.encode import encoded_bytes
from converters.metadata import Entry
from converters.safetensors import StoredTensor


@dataclass(frozen=True, slots=True)
class PlannedTensor:
    name: str
    source: StoredTensor
    encoding: str
    """F32, F16, BF16, Q8_0, Q5_0 or Q4_0; I64 for a table of numbers."""

    @property
    def size_bytes(self) -> int:
        return encoded_bytes(self.source.shape, self.encoding)


@dataclass(frozen=True, slots=True)
class FilePlan:
    architecture: str
    entries: tuple[Entry, ...]
    tensors: tuple[PlannedTensor, ...]
    notice: str = ""
    """What of the checkpoint does not come along, in words for the user."""

    @property
    def size_bytes(self) -> int:
        return sum(tensor.size_bytes for tensor in self.tensors)

    @property
    def weight_count(self) -> int:
        return sum(tensor.source.values.size for tensor in self.tensors)


def matrix(name: str, source: StoredTensor, encoding: str) -> PlannedTensor:
    """A matrix in the wanted type, or F16 where its rows do not divide into blocks."""
    fits = encoding not in BLOCK_BYTES or source.shape[-1] % BLOCK_VALUES == 0
    return PlannedTensor(name, source, encoding if fits else "F16")


def exact(name: str, source: StoredTensor) -> PlannedTensor:
    """A small tensor kept in F32: norms and single rows, which llama.cpp expects that way."""
    return PlannedTensor(name, source, "F32")


def lossless_encoding(tensors: Iterable[StoredTensor]) -> str:
    """The smallest type that loses nothing of these matrices, for a file that is quantized afterwards."""
    dtypes = {tensor.dtype for tensor in tensors if len(tensor.shape) == 2}
    return dtypes.pop() if dtypes in ({"BF16"}, {"F16"}) else "F32"
