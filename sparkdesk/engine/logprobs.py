"""Pure: how likely tokens were to the target, from its logits as they are."""

from collections.abc import Sequence

import numpy as np

from sparkdesk.engine.block import FloatArray
from sparkdesk.engine.round import TokenLogprobs
from sparkdesk.engine.sampling import at_least_largest


def logprobs(rows: FloatArray, tokens: Sequence[int], *, top: int) -> tuple[TokenLogprobs, ...]:
    """Of tokens[i] by row i of the logits (n, vocabulary), with the `top` likeliest at each place."""
    return tuple(_logprob(row, token, top) for row, token in zip(rows, tokens, strict=False))


def _logprob(row: FloatArray, token: int, top: int) -> TokenLogprobs:
    best = float(row.max())
    total = float(np.exp(row - best).sum(dtype=np.float64))
    shift = best + float(np.log(total))
    if not top:
        return TokenLogprobs(float(row[token]) - shift)
    ids = at_least_largest(row, min(top, len(row)))
    order = np.argsort(-row[ids], kind="stable")[:top]
    ids = ids[order]
    ids = ids[np.isfinite(row[ids])]  # tokens that the model must never say
    return TokenLogprobs(float(row[token]) - shift, tuple(ids.tolist()), tuple((row[ids] - shift).tolist()))
