"""A short look at what steps cost, when a pair has been loaded: rounds of the real loop at various draft lengths.

In the loop, because there a step costs more than the same batch repeated on its own: llama.cpp rebuilds its graph when
the size of the batch changes.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter

from sparkdesk.engine.interfaces import PairParts
from sparkdesk.engine.round import Round
from sparkdesk.engine.scheduling.costs import Seen
from sparkdesk.engine.scheduling.tuner import Tuner
from sparkdesk.engine.settings import Control, GenerationSettings, SamplingSettings, SpeculationSettings
from sparkdesk.engine.speculate import generate
from sparkdesk.engine.threads import ThreadTimes

PROBE_SECONDS, LEAST_PROBE_SECONDS = 1.5, 0.75
"""Of trying threads and costs together, and what costs have of it at least."""
_THREAD_SECONDS, _MOST_THREAD_SECONDS = 0.5, 2.0
"""Of trying numbers of threads: usual, and where a model is so large that one try takes as long."""
_THREAD_SWEEPS = 4
_THREAD_LENGTHS = (0, 3)
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


def probe_costs(pair: PairParts, tuner: Tuner, *, seconds: float = PROBE_SECONDS) -> Iterator[float]:
    """Play the rounds and tell `tuner` what they cost; yields the share done. What `pair` learns of it is rubbish.

    Ends after `seconds` or LEAST_PASSES target passes, whichever is later. Remembered costs need only a glance.
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
        is_late = perf_counter() - began > seconds and passes >= LEAST_PASSES
        control.is_cancelled = is_late or passes >= len(lengths)
        control.speculation = _speculation(lengths[min(passes, len(lengths) - 1)])
        yield passes / len(lengths)
    _clear(pair)
    tuner.costs.seed(samples.steady(), _seen(samples.draft), _seen(samples.absorb), change_ms=samples.change_ms())


def probe_threads(pair: PairParts, times: ThreadTimes, use_threads: Callable[[int], None]) -> Iterator[float]:
    """Try the numbers of threads in turn and tell `times`; yields the share done. Leaves the best number in use.

    Plain steps and, with a draft, whole drafted rounds: the first of each number only finds its threads.
    """
    if not times.is_settled:
        lengths = _THREAD_LENGTHS[: 1 if pair.drafter is None else 2]
        plan = [(number, length) for _ in range(_THREAD_SWEEPS) for number in times.numbers for length in (0, *lengths)]
        found: dict[tuple[int, int], float] = {}
        control = Control(_speculation(0))
        settings = GenerationSettings(max_tokens=_MOST_TOKENS, sampling=SamplingSettings(temperature=0))
        passes, began, is_new = 0, perf_counter(), True
        use_threads(plan[0][0])
        for event in generate(pair, [0, 1], settings, control):
            if not isinstance(event, Round) or event.is_first:
                continue
            number, length = plan[passes]
            if not is_new:
                found[number, length] = min(event.elapsed_ms, found.get((number, length), event.elapsed_ms))
            passes += 1
            yield passes / len(plan)
            elapsed_s, is_swept = perf_counter() - began, passes >= len(plan) // _THREAD_SWEEPS
            if passes == len(plan) or elapsed_s > (_THREAD_SECONDS if is_swept else _MOST_THREAD_SECONDS):
                control.is_cancelled = True
                continue
            is_new = plan[passes][0] != number
            use_threads(plan[passes][0])
            control.speculation = _speculation(min(plan[passes][1], pair.drafter.block_size if pair.drafter else 0))
        _clear(pair)
        complete = [number for number in times.numbers if all((number, length) in found for length in lengths)]
        times.add({number: sum(found[number, length] for length in lengths) for number in complete})
    use_threads(times.best)


def _clear(pair: PairParts) -> None:
    pair.target.truncate(0)
    if pair.drafter is not None:
        pair.drafter.truncate(0)


def _seen(samples: dict[int, list[float]]) -> dict[int, Seen]:
    """The least of each: a machine that is busy elsewhere, with drawing a screen for one, only makes a step slower."""
    return {size: Seen(min(found), len(found)) for size, found in samples.items()}


def _speculation(length: int) -> SpeculationSettings:
    return SpeculationSettings(is_enabled=length > 0, draft_length=length or None)
