"""One safetensors file: its header, checked before use, and its tensors, mapped and not read.

A file that passes here cannot make a later read fall outside it.
"""

import json
import math
import mmap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.regular_file import check_regular, open_regular

_LENGTH_BYTES = 8
_MAX_HEADER_BYTES = 100_000_000  # the format's own limit
_TYPES_BY_BYTES = {
    1: ("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"),
    2: ("U16", "I16", "F16", "BF16"),
    4: ("U32", "I32", "F32"),
    8: ("U64", "I64", "F64", "C64"),
}
_ITEM_BYTES = {dtype: size for size, dtypes in _TYPES_BY_BYTES.items() for dtype in dtypes}
# numpy has no bfloat16: its bits travel as u16
_ARRAY_TYPES = {"BF16": "<u2", "F16": "<f2", "F32": "<f4"}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    """First byte, counted from the end of the header."""

    stop: int


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor of a checkpoint. Its values are read from disk when touched."""

    name: str
    dtype: str
    values: NDArray[Any]  # any shape; u16 for BF16

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape


def open_tensors(path: Path) -> dict[str, StoredTensor]:
    """All tensors of a file; the file stays mapped as long as one of them is alive."""
    header_bytes, infos = read_header(path)
    if path.stat().st_size == header_bytes:  # an empty mapping is an error on some systems
        return {info.name: _stored(info, b"", 0, path) for info in infos}
    with open_regular(path) as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if hasattr(mmap, "MADV_SEQUENTIAL"):  # larger reads ahead: a third faster from a cold disk
        mapped.madvise(mmap.MADV_SEQUENTIAL)
    return {info.name: _stored(info, mapped, header_bytes, path) for info in infos}


def read_header(path: Path) -> tuple[int, list[TensorInfo]]:
    """The number of bytes before the data, and what the data holds."""
    found = path.stat()
    check_regular(path, found)
    file_bytes = found.st_size
    with open_regular(path) as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        available = file_bytes - _LENGTH_BYTES
        if available < 0 or length > available or length > _MAX_HEADER_BYTES:
            raise BadCheckpoint(
                f"{path.name} is truncated or not a safetensors file: "
                f"its header claims {length:,} bytes and the file has {max(available, 0):,}.",
                hint="Download the file again.",
            )
        header = file.read(length)
    return _LENGTH_BYTES + length, parse_header(header, file_bytes - _LENGTH_BYTES - length, path.name)


def parse_header(header: bytes, data_bytes: int, file_name: str) -> list[TensorInfo]:
    entries = _decode(header, file_name)
    infos = [_info(name, entry, file_name) for name, entry in entries if name != "__metadata__"]
    for info in infos:
        _check_extent(info, data_bytes, file_name)
    _check_overlap(infos, file_name)
    return infos


def _decode(header: bytes, file_name: str) -> list[tuple[str, Any]]:
    try:
        # Pairs, so that a tensor named twice is seen and not silently dropped.
        outer = json.loads(header.decode("utf-8"), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise _damaged(file_name, "its header is not valid JSON") from None
    if not isinstance(outer, _Pairs):
        raise _damaged(file_name, "its header is not a JSON object")
    return list(outer)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object before duplicate keys are merged."""


def _info(name: str, entry: object, file_name: str) -> TensorInfo:
    fields = dict(entry) if isinstance(entry, _Pairs) else {}
    dtype, shape, offsets = fields.get("dtype"), _sizes(fields.get("shape")), _sizes(fields.get("data_offsets"))
    if not isinstance(dtype, str) or shape is None or offsets is None or len(offsets) != 2:
        raise _damaged(file_name, f"the entry of tensor {name!r} is incomplete")
    if dtype not in _ITEM_BYTES:
        raise UnsupportedModel(f"{file_name}: tensor {name!r} has the unknown type {dtype!r}.")
    return TensorInfo(name, dtype, shape, offsets[0], offsets[1])


def _sizes(value: object) -> tuple[int, ...] | None:
    """A short list of sane whole numbers; the limits keep numpy and the file system within theirs."""
    if not isinstance(value, list) or isinstance(value, _Pairs) or len(value) > 8:
        return None
    return tuple(value) if all(type(item) is int and 0 <= item < 2**48 for item in value) else None


def _check_extent(info: TensorInfo, data_bytes: int, file_name: str) -> None:
    if info.start > info.stop or info.stop > data_bytes:
        raise _damaged(
            file_name,
            f"tensor {info.name!r} should lie in bytes {info.start:,} to {info.stop:,}, "
            f"but the file holds {data_bytes:,} bytes of data",
        )
    expected = math.prod(info.shape) * _ITEM_BYTES[info.dtype]
    if info.stop - info.start != expected:
        raise _damaged(
            file_name,
            f"tensor {info.name!r} of shape {list(info.shape)} and type {info.dtype} needs {expected:,} bytes "
            f"and has {info.stop - info.start:,}",
        )


def _check_overlap(infos: Iterable[TensorInfo], file_name: str) -> None:
    seen: set[str] = set()
    last_stop = 0
    for info in sorted(infos, key=lambda info: (info.start, info.stop)):
        if info.name in seen:
            raise _damaged(file_name, f"tensor {info.name!r} appears twice")
        if info.start < last_stop:
            raise _damaged(file_name, f"tensor {info.name!r} overlaps another tensor")
        seen.add(info.name)
        last_stop = info.stop


def _damaged(file_name: str, reason: str) -> BadCheckpoint:
    return BadCheckpoint(f"{file_name} is damaged: {reason}.", hint="Download the file again.")


def _stored(info: TensorInfo, buffer: mmap.mmap | bytes, data_start: int, path: Path) -> StoredTensor:
    # Types we cannot convert stay visible as bytes: they matter only if somebody needs them.
    array_type = _ARRAY_TYPES.get(info.dtype)
    if array_type is None:
        raw = np.ndarray((info.stop - info.start,), np.uint8, buffer, data_start + info.start)
        return StoredTensor(info.name, info.dtype, raw)
    return StoredTensor(info.name, info.dtype, np.ndarray(info.shape, array_type, buffer, data_start + info.start))
