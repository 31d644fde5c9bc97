"""Whether a draft's embeddings and head are copies of its target's, judged by rows of both."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from converters.encode import to_f32
from converters.errors import PairMismatch
from converters.safetensors import StoredTensor

_ROW_COUNT = 256
# A row and its BF16 or F16 rounding agree to five nines, its 2-bit quantization to about .96,
# and rows of two different models not at all. A fine-tuned copy is told from a frozen one only
# where the target is not quantized.
_SAME_WHEN_EXACT = 0.9999
_SAME_WHEN_QUANTIZED = 0.9
_LEAST_RELATED = 0.5

RowsOf = Callable[[Sequence[int]], NDArray[np.float32]]


def sample_ids(vocab_size: int, special_ids: Sequence[int]) -> list[int]:
    """Rows all over the vocabulary, and those most likely to have been trained apart."""
    spread = np.linspace(0, vocab_size - 1, min(_ROW_COUNT, vocab_size)).astype(int).tolist()
    return sorted({*spread, *special_ids})


def check_related(of_draft: StoredTensor, rows_of_target: RowsOf, *, ids: Sequence[int]) -> None:
    """Raises PairMismatch where the rows of the two point in unrelated directions: embeddings of different models.

    Drafts start from their target's embeddings and mostly keep them; a trained apart copy still resembles them.
    """
    theirs = rows_of_target(ids).astype(np.float64)  # (rows, hidden)
    ours = to_f32(of_draft.values[list(ids)], of_draft.dtype).astype(np.float64)  # (rows, hidden)
    related = float(np.median(_cosine(ours, theirs)))
    if related < _LEAST_RELATED:
        raise PairMismatch(
            f"The draft's token embeddings are not this target's: rows of the two agree by {max(0.0, related):.0%}, "
            "as those of two different models do.",
            hint="Pick the target this draft was trained for.",
        )


def is_copy(of_draft: StoredTensor, rows_of_target: RowsOf, *, ids: Sequence[int], target_is_exact: bool) -> bool:
    theirs = rows_of_target(ids).astype(np.float64)  # (rows, hidden)
    ours = to_f32(of_draft.values[list(ids)], of_draft.dtype).astype(np.float64)  # (rows, hidden)
    limit = _SAME_WHEN_EXACT if target_is_exact else _SAME_WHEN_QUANTIZED
    return bool(((_similarity(ours, theirs) >= limit) | _are_both_empty(ours, theirs)).all())


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)  # (rows,)
    cosine: NDArray[np.float64] = np.divide((a * b).sum(1), lengths, out=np.ones_like(lengths), where=lengths > 0)
    return cosine


def _similarity(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """One where two rows are equal, falling with both angle and difference in length: 2ab / (aa + bb)."""
    both = (a * a).sum(1) + (b * b).sum(1)  # (rows,)
    similarity: NDArray[np.float64] = np.divide(2 * (a * b).sum(1), both, out=np.ones_like(both), where=both > 0)
    return similarity


def _are_both_empty(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.bool_]:
    # Rows of unused tokens can be so small that quantization keeps nothing of them.
    size_a, size_b = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)  # (rows,)
    both_empty: NDArray[np.bool_] = (size_a < 1e-3 * np.median(size_a)) & (size_b < 1e-3 * np.median(size_b))
    return both_empty
