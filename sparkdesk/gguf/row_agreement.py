"""How far rows of a tensor that two GGUF files share point the same way; quantized rows are unpacked."""

import mmap

import numpy as np
from numpy.typing import NDArray

from sparkdesk.gguf.header import GgufFile, TensorPlace

LEAST_RELATED = 0.5
"""A row and its 2-bit quantization agree by .9 and more, rows of different models hardly at all."""
_ROW_COUNT = 256


def row_agreement(first: GgufFile, second: GgufFile, tensor: str) -> float | None:
    """The median cosine of a few hundred rows; None where they cannot be compared."""
    places = first.tensors[tensor], second.tensors[tensor]
    if len(places[0].shape) != 2 or places[0].shape != places[1].shape or not all(place.size_bytes for place in places):
        return None
    count = places[0].shape[1]
    ids = np.unique(np.linspace(0, count - 1, min(_ROW_COUNT, count)).astype(np.intp))
    try:
        a, b = (_rows(file, place, ids).astype(np.float64) for file, place in zip((first, second), places, strict=True))
    except (OSError, ValueError, TypeError, NotImplementedError):
        return None
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)  # (rows,)
    return float(np.median(np.divide((a * b).sum(1), lengths, out=np.ones_like(lengths), where=lengths > 0)))


def _rows(file: GgufFile, place: TensorPlace, ids: NDArray[np.intp]) -> NDArray[np.float32]:
    from gguf import GGMLQuantizationType, quants

    with file.path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        # One by one: a view of the mapping would keep it from being closed.
        starts = [place.offset + int(i) * place.row_bytes for i in ids]
        packed = b"".join(data[start : start + place.row_bytes] for start in starts)
    stored = np.frombuffer(packed, np.uint8).reshape(len(ids), place.row_bytes)
    kind = GGMLQuantizationType(place.ggml_type)
    rows: NDArray[np.float32] = quants.dequantize(stored, kind)
    return rows
