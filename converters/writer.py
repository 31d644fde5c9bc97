"""A planned GGUF file, written tensor by tensor in pieces that fit in any memory."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from converters.encode import encode
from converters.plan import FilePlan, PlannedTensor
from converters.progress import ConversionProgress

if TYPE_CHECKING:
    from gguf import GGUFWriter

_PIECE_VALUES = 4 * 1024 * 1024  # 16 MiB as F32: fits beside any model, and a cancel waits a moment only


def write_gguf(plan: FilePlan, path: Path) -> Iterator[ConversionProgress]:
    """Write the plan to `path`, which is left unfinished if the iterator is closed early."""
    from gguf import GGUFWriter

    with closing(GGUFWriter(path, plan.architecture)) as writer:
        _declare(plan, writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        yield from _write_tensors(plan, writer)


def _declare(plan: FilePlan, writer: "GGUFWriter") -> None:
    from gguf import GGMLQuantizationType, GGUFValueType

    for entry in plan.entries:
        item_kind = GGUFValueType[entry.item_kind] if entry.item_kind else None
        writer.add_key_value(entry.key, entry.value, GGUFValueType[entry.kind], item_kind)
    for tensor in plan.tensors:
        encoding = GGMLQuantizationType[tensor.encoding]
        shape = tensor.source.shape
        writer.add_tensor_info(tensor.name, shape, np.dtype(np.float32), tensor.size_bytes, encoding)


def _write_tensors(plan: FilePlan, writer: "GGUFWriter") -> Iterator[ConversionProgress]:
    assert writer.fout is not None
    file = writer.fout[0]
    done_bytes, total_bytes = 0, plan.size_bytes
    writer.write_padding(file, file.tell())
    for tensor in plan.tensors:
        for piece in _pieces(tensor):
            _write(file, piece)
            done_bytes += piece.nbytes
            yield ConversionProgress("convert", done_bytes, total_bytes, "bytes", tensor.name)
        writer.write_padding(file, tensor.size_bytes)


def _pieces(tensor: PlannedTensor) -> Iterator[NDArray[Any]]:
    source = tensor.source
    flat = source.values.reshape(-1)
    for start in range(0, flat.size, _PIECE_VALUES):
        yield encode(flat[start : start + _PIECE_VALUES], source.dtype, tensor.encoding, name=source.name)


def _write(file: BinaryIO, piece: NDArray[Any]) -> None:
    file.write(np.ascontiguousarray(piece).data)
