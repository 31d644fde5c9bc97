"""How often the screen may redraw a growing reply. Pure; the clock is passed in."""

import time
from collections.abc import Callable

INTERVAL_S = 0.05
"""Twenty pictures a second, where the machine can."""
_RELIEF = 3.0
_LONGEST_PAUSE_S = 0.6


class Pace:
    """Asked on every tick of a timer. A tick that comes late was held up by the picture before it: a long reply costs
    more to lay out with every line. Then pictures become rarer, so that keys are answered in between."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked_at = clock()
        self._due_at = 0.0

    def is_due(self) -> bool:
        now = self._clock()
        late_s = now - self._asked_at - INTERVAL_S
        self._asked_at = now
        if late_s > INTERVAL_S / 4:
            self._due_at = now + min(_LONGEST_PAUSE_S, _RELIEF * late_s)
        return now >= self._due_at
