"""How close two continuations were to the target: tells a near-tie from a bug when two runs differ."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sparkdesk.engine import prefill
from sparkdesk.engine.block import FloatArray
from sparkdesk.engine.interfaces import DrafterPart, TargetPart
from sparkdesk.engine.settings import Control, SpeculationSettings

_TAIL = 48
"""Tokens decoded anew: rounding differences gather in the KV cache, so one row alone would show too little."""
_BATCHES = (2, 3, 4, 8)


class Margin(NamedTuple):
    margin: float
    """Logit of the first token minus logit of the second, decoded one row at a time."""
    noise: float
    """Largest difference of any logit of that row between batches of 1 to 8 rows."""


def measure(
    target: TargetPart, drafter: DrafterPart | None, *, tokens: Sequence[int], first: int, second: int
) -> Margin:
    """Decode the end of `tokens` in batches of several sizes and compare the last row."""
    prefill.check(target, tokens)
    control = Control(SpeculationSettings(is_enabled=False))
    head = tokens[: max(0, len(tokens) - _TAIL)]
    if head:
        for _ in prefill.run(target, drafter, tokens=head, control=control, absorbs=False):
            pass
    else:
        prefill.rewind(target, drafter, tokens[:1])
    kept = target.length
    single = _last_row(target, tokens, kept=kept, batch=1)
    noise = 0.0
    for batch in _BATCHES:
        noise = max(noise, float(np.abs(_last_row(target, tokens, kept=kept, batch=batch) - single).max()))
    target.truncate(kept)
    return Margin(float(single[first] - single[second]), noise)


def _last_row(target: TargetPart, tokens: Sequence[int], *, kept: int, batch: int) -> FloatArray:
    """Logits (vocabulary,) after `tokens`, whose part beyond `kept` is decoded in batches of `batch` rows: a copy."""
    target.truncate(kept)
    row: FloatArray | None = None
    while target.length < len(tokens):
        part = tokens[target.length : target.length + batch]
        row = target.decode(part, all_rows=True)[-1]
    assert row is not None
    return row.copy()
