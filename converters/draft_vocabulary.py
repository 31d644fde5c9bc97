"""A draft's reduced vocabulary: which of the target's tokens its rows stand for.

speculators stores `d2t` as the distance from a row's number to its token, and `t2d` as one flag for every token.
"""

import numpy as np
from numpy.typing import NDArray

from converters.checkpoint import Checkpoint
from converters.errors import BadCheckpoint
from converters.safetensors import StoredTensor

_DISTANCES, _FLAGS = "d2t", "t2d"
MAPPINGS = {_DISTANCES, _FLAGS}
_TYPES = {"I64": "<i8", "I32": "<i4"}


def target_ids(checkpoint: Checkpoint, *, draft: int, target: int) -> NDArray[np.int64]:
    """(draft,) the target's token of every row. Raises BadCheckpoint where the table makes no sense."""
    stored = checkpoint.tensors.get(_DISTANCES)
    if stored is None:
        raise BadCheckpoint(f"The draft has {draft:,} of the target's {target:,} tokens, and no table d2t of which.")
    ids = _numbers(stored) + np.arange(len(_numbers(stored)))  # (draft,)
    if len(ids) != draft or len(np.unique(ids)) != draft or ids.min() < 0 or ids.max() >= target:
        raise BadCheckpoint(f"The draft's table d2t does not name {draft:,} different tokens of {target:,}.")
    flags = checkpoint.tensors.get(_FLAGS)
    if flags is not None and not np.array_equal(np.flatnonzero(np.asarray(flags.values)), np.sort(ids)):
        raise BadCheckpoint("The draft's tables d2t and t2d contradict each other.")
    return ids.astype("<i8")


def _numbers(stored: StoredTensor) -> NDArray[np.int64]:
    if stored.dtype not in _TYPES:
        raise BadCheckpoint(f"The draft's table d2t is stored as {stored.dtype}, not as whole numbers.")
    # Types no weight has are mapped as bytes.
    return np.frombuffer(stored.values.tobytes(), _TYPES[stored.dtype]).astype(np.int64)
