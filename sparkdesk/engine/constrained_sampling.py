"""Pure: the best token, and the distribution of the next one, where a constraint forbids some.

Exactly what the sampler would make of a softmax over the allowed tokens. Asking about a token costs, so tokens are
asked about in descending order, and only until no other could change the result.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparkdesk.engine.block import ConstraintPart
from sparkdesk.engine.sampling import Distribution, Floats, Ids, at_least_largest
from sparkdesk.engine.settings import SamplingSettings
from sparkdesk.errors import GrammarError

_STEPS = (64, 512, 2048)
"""How far down is looked, before the whole vocabulary is."""
_NEGLIGIBLE_MASS = 1e-6
"""Of what is allowed, that may be left unasked: a float32 logit of 16 is not known more closely than that."""


def best(row: Floats, constraint: ConstraintPart) -> int:
    """The likeliest token (vocabulary,) that is allowed."""
    first = int(row.argmax())
    if constraint.allowed(np.array([first]))[0] and np.isfinite(row[first]):
        return first
    for ids in _descending(row):
        may = constraint.allowed(ids)
        if may.any():
            left = ids[may]
            return int(left[row[left].argmax()])
    raise _dead_end()


def distribution(row: Floats, settings: SamplingSettings, constraint: ConstraintPart) -> Distribution:
    """What a token is drawn from, by a row of logits (vocabulary,) and a temperature above 0."""
    unasked = np.isfinite(row)
    allowed: list[Ids] = []
    for ids in _descending(row):
        unasked[ids] = False
        allowed.append(ids[constraint.allowed(ids)])
        found = _found(row, np.concatenate(allowed), unasked, settings)
        if found is not None:
            return found
    raise _dead_end()


@dataclass(frozen=True, slots=True)
class _Rest:
    """What the tokens not asked about could still weigh, in units of the best allowed one."""

    count: int
    mass: float
    tempered_mass: float
    most: float
    """The log weight of the likeliest of them."""


def _found(row: Floats, ids: Ids, unasked: NDArray[np.bool_], settings: SamplingSettings) -> Distribution | None:
    """The distribution, where the tokens not asked about could not change it."""
    if not len(ids):
        return None
    ids = ids[np.argsort(-row[ids], kind="stable")]
    values = np.subtract(row[ids], row[ids[0]], dtype=np.float64)
    top_k = settings.top_k if settings.top_k > 0 else len(row)
    if len(ids) >= top_k:
        return _kept(ids, values, _count(values[:top_k], 0.0, settings), settings)
    rest = _rest(row, float(row[ids[0]]), unasked, settings)
    extra = min(rest.mass, (top_k - len(ids)) * np.exp(rest.most))
    least, most = _count(values, 0.0, settings), _count(values, extra, settings)
    if least == most and (most < len(values) or _is_cut_before(rest, values, extra, settings)):
        return _kept(ids, values, most, settings)
    if rest.mass <= _NEGLIGIBLE_MASS * np.exp(values).sum() and rest.tempered_mass <= _NEGLIGIBLE_MASS * _tempered(
        values, settings
    ):
        return _kept(ids, values, least, settings)
    return None


def _is_cut_before(rest: _Rest, values: NDArray[np.float64], extra: float, settings: SamplingSettings) -> bool:
    """Whether every token that was not asked about fails the settings anyway."""
    if not rest.count:
        return True
    fails_min_p = settings.min_p > 0 and rest.most < np.log(settings.min_p)
    mass = float(np.exp(values).sum())
    fails_top_p = settings.top_p < 1 and mass >= settings.top_p * (mass + extra)
    return fails_min_p or fails_top_p


def _count(values: NDArray[np.float64], extra: float, settings: SamplingSettings) -> int:
    """How many of the descending log weights pass top-p and min-p, if others weigh `extra` besides; at least one."""
    keep = len(values)
    if settings.top_p < 1:
        cumulated = np.exp(values).cumsum()
        keep = min(keep, int(cumulated.searchsorted(settings.top_p * (cumulated[-1] + extra))) + 1)
    if settings.min_p > 0:
        keep = min(keep, int(np.count_nonzero(values >= np.log(settings.min_p))))
    return max(1, keep)


def _kept(ids: Ids, values: NDArray[np.float64], count: int, settings: SamplingSettings) -> Distribution:
    weights = np.exp(values[:count] / settings.temperature)
    return Distribution(ids[:count], weights / weights.sum())


def _tempered(values: NDArray[np.float64], settings: SamplingSettings) -> float:
    return float(np.exp(values / settings.temperature).sum())


def _rest(row: Floats, best_allowed: float, unasked: NDArray[np.bool_], settings: SamplingSettings) -> _Rest:
    values = row[unasked] - row.dtype.type(best_allowed)  # all of them below 0: they come further down
    if not len(values):
        return _Rest(0, 0.0, 0.0, -np.inf)
    mass = float(np.exp(values).sum(dtype=np.float64))
    # Below 1 the temperature makes the rest, which is less likely than all that is allowed, weigh even less.
    hotter = settings.temperature > 1
    tempered = float(np.exp(values / settings.temperature).sum(dtype=np.float64)) if hotter else 0.0
    return _Rest(len(values), mass, tempered, float(values.max()))


def _descending(row: Floats) -> Iterator[Ids]:
    """All tokens but impossible ones: those of each step are likelier than those of the next, and in any order."""
    left = np.isfinite(row)
    for count in _STEPS:
        if count >= len(row):
            break
        ids = at_least_largest(row, count)
        ids = ids[left[ids]]
        left[ids] = False
        if len(ids):
            yield ids
    rest = np.flatnonzero(left)
    if len(rest):
        yield rest


def _dead_end() -> GrammarError:
    return GrammarError(
        "The grammar allows nothing here that the model can say.",
        "Its text must be made of what the vocabulary can spell.",
    )
