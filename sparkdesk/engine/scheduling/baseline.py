"""What a plain step costs here and now, by plain steps really made: what a gain may be held against.

An estimate from another moment is no baseline: the machine may have been busy then, or free. Only steps of the last
minute count, and only those since the pace last jumped.
"""

from collections import deque
from statistics import fmean, median

SAME_LOAD_SECONDS = 60.0
ENOUGH_STEPS = 3
_MOST_STEPS = 64
_LARGEST_STALL = 4.0
"""In medians. Drafted rounds have stalls too, but a single one among three plain steps would be a third of them."""


class PlainBaseline:
    """Plain steps with the second at which each ended, the oldest first."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, float]] = deque(maxlen=_MOST_STEPS)

    def add(self, elapsed_ms: float, now_s: float) -> None:
        self._steps.append((now_s, elapsed_ms))

    def forget(self) -> None:
        """The machine is as busy as it was no longer."""
        self._steps.clear()

    def is_known(self, now_s: float) -> bool:
        return len(self._recent(now_s)) >= ENOUGH_STEPS

    def step_ms(self, now_s: float) -> float:
        """The mean, with stalls bounded; 0 while too little was measured to claim anything."""
        steps = self._recent(now_s)
        if len(steps) < ENOUGH_STEPS:
            return 0.0
        most = _LARGEST_STALL * median(steps)
        return fmean(min(ms, most) for ms in steps)

    def _recent(self, now_s: float) -> list[float]:
        while self._steps and self._steps[0][0] < now_s - SAME_LOAD_SECONDS:
            self._steps.popleft()
        return [ms for _, ms in self._steps]
