"""The frozen events every journey yields: the CLI prints them, the UI posts them, the server streams them."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar


@dataclass(frozen=True, slots=True)
class Progress:
    """A step has come this far."""

    step: str
    """What is being done, in words for the user: "Converting the target"."""
    done: float
    total: float
    """0 when the end is not known."""
    unit: str
    """"bytes", "tensors", "tokens" or "" for a bare fraction."""
    rate_per_second: float = 0.0
    whole: "Progress | None" = None
    """The larger step this one is a part of: all files, where this is one."""

    @property
    def fraction(self) -> float:
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know, that does not stop the journey."""

    text: str


Report = Progress | Notice
Result = TypeVar("Result")
Journey = Generator[Report, None, Result]
"""Runs in the thread that iterates; yields at least twice a second while it works, and is cancelled by closing it."""
SILENCE = Notice("")
"""Nothing to tell; yielded so that a journey can be cancelled there."""
