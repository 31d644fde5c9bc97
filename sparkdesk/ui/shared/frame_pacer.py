"""How often the screen may redraw a growing reply. Pure; the clocks are passed in."""

import time
from collections.abc import Callable

INTERVAL_S = 0.075
"""Some thirteen pictures a second: more are not seen, and each costs about as much as the text it brings."""
SHARE = 1 / 3
_LONGEST_REST_S = 0.4


class Pace:
    """Lets drawing have a third of one processor: keys are answered in between, and on a small machine the engine,
    which needs all there is, is slowed down less. Counts the time this thread really worked, since a picture goes on
    being made long after it was asked for."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, work_clock: Callable[[], float] = time.thread_time
    ) -> None:
        self._clock, self._work_clock = clock, work_clock
        self._began_at = self._worked_before = float("-inf")

    @property
    def is_due(self) -> bool:
        elapsed_s = self._clock() - self._began_at
        worked_s = self._work_clock() - self._worked_before
        return elapsed_s >= _LONGEST_REST_S or worked_s <= SHARE * elapsed_s

    def begin(self) -> None:
        """A picture is being made."""
        self._began_at, self._worked_before = self._clock(), self._work_clock()
