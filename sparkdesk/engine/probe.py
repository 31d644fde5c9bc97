"""A short look at what steps cost, when a pair has been loaded: rounds of the real loop at various draft lengths.

In the loop, because there a step costs more than the same batch repeated on its own: llama.cpp rebuilds its graph when
the size of the batch changes.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter

from sparkdesk.engine.control import Control
from sparkdesk.engine.interfaces import PairParts
from sparkdesk.engine.round import Round
from sparkdesk.engine.scheduling.costs import Seen
from sparkdesk.engine.scheduling.tuner import Tuner
from sparkdesk.engine.settings import GenerationSettings, SamplingSettings, SpeculationSettings
from sparkdesk.engine.speculate import generate

PROBE_SECONDS = 1.5
LEAST_PASSES = 5
_FIRST = (7,)
"""Not measured: the first pass of a kind finds cold caches and allocates."""
_ORDER = (0, 0, 7, 3, 1, 5, 2, 4, 6, 0, 0, 7, 7, 3, 3, 1, 1, 5, 5, 2, 2, 4, 4, 6, 6, 0, 0, 7, 7, 3, 3, 1, 1, 2, 2)
"""The most telling first, for a model of which only five passes are seen."""
_GLANCE = (0, 0, 3, 0, 0)
_MOST_TOKENS = 512


@dataclass(slots=True)
class _Samples:
    """Milliseconds by step size."""

    target: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    changed: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Target passes that came after one with another number of rows."""
    draft: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    absorb: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, done: Round, *, is_change: bool) -> None:
        passes = self.changed if is_change else self.target
        passes[done.verified + 1].append(done.verify_ms + done.other_ms)
        if done.drafted:
            self.draft[done.drafted].append(done.draft_ms)
            self.absorb[done.absorbed].append(done.absorb_ms)

    def change_ms(self) -> float:
        """What a change of size costs, from the sizes seen both ways."""
        both = [rows for rows in self.target if rows in self.changed]
        extra = sorted(min(self.changed[rows]) - min(self.target[rows]) for rows in both)
        return max(0.0, extra[len(extra) // 2]) if extra else 0.0

    def steady(self) -> dict[int, Seen]:
        """Cost of a pass among its like, or as near to it as was seen."""
        extra_ms = self.change_ms()
        guessed = {rows: [max(0.3 * ms, ms - extra_ms) for ms in found] for rows, found in self.changed.items()}
        return _seen({**guessed, **self.target})


def probe_costs(pair: PairParts, tuner: Tuner) -> Iterator[float]:
    """Play the rounds and tell `tuner` what they cost; yields the share done. What `pair` learns of it is rubbish.

    Ends after PROBE_SECONDS or LEAST_PASSES target passes, whichever is later. Remembered costs need only a glance.
    """
    drafter = pair.drafter
    block_size = drafter.block_size if drafter else 0
    order = (*_FIRST, *(_GLANCE if tuner.costs.is_remembered else _ORDER))
    lengths = [min(length, block_size) for length in order]
    control = Control(_speculation(lengths[0]))
    settings = GenerationSettings(max_tokens=_MOST_TOKENS, sampling=SamplingSettings(temperature=0))
    samples, passes, rows, began = _Samples(), 0, 0, perf_counter()
    for event in generate(pair, [0, 1], settings, control):
        if not isinstance(event, Round) or event.is_first:
            continue
        passes += 1
        if passes > len(_FIRST):
            samples.add(event, is_change=event.verified + 1 != rows)
        rows = event.verified + 1
        is_late = perf_counter() - began > PROBE_SECONDS and passes >= LEAST_PASSES
        control.is_cancelled = is_late or passes >= len(lengths)
        control.speculation = _speculation(lengths[min(passes, len(lengths) - 1)])
        yield passes / len(lengths)
    pair.target.truncate(0)
    if drafter is not None:
        drafter.truncate(0)
    tuner.costs.seed(samples.steady(), _seen(samples.draft), _seen(samples.absorb), change_ms=samples.change_ms())


def _seen(samples: dict[int, list[float]]) -> dict[int, Seen]:
    """The least of each: a machine that is busy elsewhere, with drawing a screen for one, only makes a step slower."""
    return {size: Seen(min(found), len(found)) for size, found in samples.items()}


def _speculation(length: int) -> SpeculationSettings:
    return SpeculationSettings(is_enabled=length > 0, draft_length=length or None)
