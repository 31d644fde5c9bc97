"""The frozen events every journey yields: the CLI prints them, the UI posts them, the server streams them."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar


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
Event = TypeVar("Event")
Result = TypeVar("Result")
Journey = Generator[Report, None, Result]
"""Runs in the thread that iterates; yields at least twice a second while it works, and is cancelled by closing it."""
SILENCE = Notice("")
"""Nothing to tell; yielded so that a journey can be cancelled there."""


class Run(Generic[Event, Result]):
    """Iterates over a generator's events, and keeps what it returns."""

    def __init__(self, journey: Generator[Event, None, Result]) -> None:
        self._journey = journey
        self._results: list[Result] = []

    def __iter__(self) -> Iterator[Event]:
        self._results.append((yield from self._journey))

    @property
    def is_over(self) -> bool:
        """False also where it was closed before its end."""
        return bool(self._results)

    @property
    def result(self) -> Result:
        """Only once it is over."""
        return self._results[0]
