"""The clock of a race that is watched again: where it is, how fast it runs, and what comes after. Pure; time is passed
in."""

SPEEDS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)
TRUE_SPEED = 1.0
_TOO_SHORT_MS = 2500.0
"""A race below that is over before anyone has looked: it is shown again in slow motion."""
_LONG_ENOUGH_MS = 4000.0
_REST_MS = 900.0
"""Between the true speed and the slow motion."""


class Replay:
    """Runs from 0 to the end of the race, at true speed first."""

    def __init__(self, duration_ms: float) -> None:
        self.duration_ms = duration_ms
        self.at_ms = 0.0
        self.speed = TRUE_SPEED
        self.is_paused = False
        self._rest_ms = _REST_MS if duration_ms < _TOO_SHORT_MS else 0.0
        """How long to wait at the end before the slow motion; 0 when there is none to come."""

    @property
    def is_at_end(self) -> bool:
        return self.at_ms >= self.duration_ms

    @property
    def is_over(self) -> bool:
        """At the end, and nothing follows."""
        return self.is_at_end and not self._rest_ms

    @property
    def speed_in_words(self) -> str:
        if self.speed == TRUE_SPEED:
            return "true speed"
        if self.speed < TRUE_SPEED:
            return f"slow motion, 1/{round(1 / self.speed)} of true speed"
        return f"{self.speed:g} times true speed"

    def advance(self, elapsed_ms: float) -> None:
        if self.is_paused or self.is_over:
            return
        if not self.is_at_end:
            self.at_ms = min(self.duration_ms, self.at_ms + elapsed_ms * self.speed)
            return
        self._rest_ms = max(0.0, self._rest_ms - elapsed_ms)
        if not self._rest_ms:
            self.at_ms, self.speed = 0.0, slow_motion(self.duration_ms)

    def toggle_pause(self) -> None:
        self.is_paused = not self.is_paused

    def change_speed(self, step: int) -> None:
        """One faster (1) or slower (-1)."""
        place = SPEEDS.index(self.speed) + step
        self.speed = SPEEDS[max(0, min(len(SPEEDS) - 1, place))]

    def again(self) -> None:
        """From the beginning at the speed it has now, and no more by itself."""
        self.at_ms, self.is_paused, self._rest_ms = 0.0, False, 0.0

    def skip(self) -> None:
        self.at_ms, self.is_paused, self._rest_ms = self.duration_ms, False, 0.0


def slow_motion(duration_ms: float) -> float:
    """The fastest of the slow speeds at which there is time to look."""
    slow = [speed for speed in SPEEDS if speed < TRUE_SPEED]
    return next((speed for speed in reversed(slow) if duration_ms >= _LONG_ENOUGH_MS * speed), slow[0])
