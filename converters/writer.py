"""A planned GGUF file, written tensor by tensor in pieces that fit in any memory."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from converters.output_file import reserve
from converters.plan import BEST_VALUES, FilePlan, PlannedTensor, encode
from converters.progress import ConversionProgress

if TYPE_CHECKING:
    from gguf import GGUFWriter

_PIECE_VALUES = 4 * BEST_VALUES  # small enough that a cancel waits only a moment
_WORKERS = min(8, 2 * (os.cpu_count() or 1))  # twice the processors: some wait for the disk
_WAITING_PIECES = 2 * _WORKERS  # so that nobody idles while the disk is slow for a moment
_LARGEST_KEPT_BYTES = 31 * 1024 * 1024  # glibc learns from what is freed, up to 32 MiB

_Parts = list[NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Piece:
    tensor: PlannedTensor
    values: NDArray[Any]  # flat, whole blocks
    is_first: bool


def write_gguf(plan: FilePlan, path: Path) -> Iterator[ConversionProgress]:
    """Write the plan to `path`, which is left unfinished if the iterator is closed early."""
    from gguf import GGUFWriter

    with closing(GGUFWriter(path, plan.architecture)) as writer:
        _declare(plan, writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        _reserve(plan, writer)
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


def _reserve(plan: FilePlan, writer: "GGUFWriter") -> None:
    assert writer.fout is not None
    file, alignment = writer.fout[0], writer.data_alignment
    padded = (-(-tensor.size_bytes // alignment) * alignment for tensor in plan.tensors)
    reserve(file, -(-file.tell() // alignment) * alignment + sum(padded))


def _write_tensors(plan: FilePlan, writer: "GGUFWriter") -> Iterator[ConversionProgress]:
    assert writer.fout is not None
    file = writer.fout[0]
    done_bytes, total_bytes = 0, plan.size_bytes
    for piece, parts in _encoded(_pieces(plan)):
        if piece.is_first:
            writer.write_padding(file, file.tell())
        for part in parts:
            file.write(np.ascontiguousarray(part).data)
            done_bytes += part.nbytes
        yield ConversionProgress("convert", done_bytes, total_bytes, "bytes", piece.tensor.name)
    writer.write_padding(file, file.tell())


def _pieces(plan: FilePlan) -> Iterator[_Piece]:
    for tensor in plan.tensors:
        flat = tensor.source.values.reshape(-1)
        for start in range(0, flat.size, _PIECE_VALUES):
            yield _Piece(tensor, flat[start : start + _PIECE_VALUES], is_first=start == 0)


def _encoded(pieces: Iterator[_Piece]) -> Iterator[tuple[_Piece, _Parts]]:
    """The pieces in order, encoded a few at a time: numpy lets go of the interpreter while it computes."""
    _let_malloc_keep_pages()
    waiting: deque[tuple[_Piece, Future[_Parts]]] = deque()
    pool = ThreadPoolExecutor(_WORKERS)
    try:
        for piece in pieces:
            waiting.append((piece, pool.submit(_encode, piece)))
            if len(waiting) > _WAITING_PIECES:
                first, encoding = waiting.popleft()
                yield first, encoding.result()
        for first, encoding in waiting:
            yield first, encoding.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _let_malloc_keep_pages() -> None:
    """Free one large array: glibc then keeps up to twice as much instead of handing every array's pages back.

    Getting them anew took more time than encoding. Elsewhere this does nothing.
    """
    np.empty(_LARGEST_KEPT_BYTES, np.uint8)


def _encode(piece: _Piece) -> _Parts:
    source, values = piece.tensor.source, piece.values
    parts = (values[start : start + BEST_VALUES] for start in range(0, values.size, BEST_VALUES))
    return [encode(part, source.dtype, encoding=piece.tensor.encoding, name=source.name) for part in parts]
