"""How far a training run is, by steps or by the clock, and its line on stderr."""

import sys
import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Budget:
    """When a run ends: after so many steps or so many seconds, whichever is given."""

    steps: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.seconds is None):
            raise ValueError("a budget has either steps or seconds")

    def progress(self, step: int, elapsed_s: float) -> float:
        """Share of the run that is over, 0 to 1."""
        if self.steps is not None:
            return min(1.0, step / self.steps)
        assert self.seconds is not None
        return min(1.0, elapsed_s / self.seconds)


@dataclass(slots=True)
class ProgressLine:
    """Prints a line every few seconds, with a rate and the time that is left."""

    title: str
    every_s: float = 15.0
    started: float = field(default_factory=time.monotonic)
    printed: float = 0.0

    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.started

    def report(self, step: int, progress: float, text: str) -> None:
        """Say where the run is, unless it was said a moment ago."""
        elapsed = self.elapsed_s()
        if progress < 1.0 and elapsed - self.printed < self.every_s:
            return
        self.printed = elapsed
        rate = step / max(elapsed, 1e-9)
        left_s = elapsed * (1 - progress) / max(progress, 1e-9)
        print(
            f"{self.title} {progress:6.1%}  step {step}  {text}  {rate:.2f} steps/s  {left_s / 60:.1f} min left",
            file=sys.stderr,
            flush=True,
        )
