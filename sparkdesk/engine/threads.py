"""How many threads compute a pass of a few rows: a short list of numbers is tried, and what was fastest is remembered.

All physical cores are usual, but a model whose steps are short waits longer at its barriers than another thread saves,
and on a busy machine the thread that everybody waits for is the one whose core is taken.
"""

from collections.abc import Mapping
from typing import Any

_ON_CARD = (1, 2)
"""With all layers on a card the processor only hands out work."""
_ALIKE = 0.98
"""Fewer threads that are as fast as this leave a core to the screen."""
_ENOUGH_LOADS, _AGAIN_EVERY = 3, 8
"""Loads that try, and then every so many: the first three may have been on a busy machine."""


def candidates(most: int, *, is_on_card: bool) -> tuple[int, ...]:
    """Numbers worth trying where `most` cores can be used, the usual one first: all, one less, half."""
    numbers = _ON_CARD if is_on_card else (most, most - 1, most // 2)
    return tuple(dict.fromkeys(max(1, min(most, number)) for number in numbers))


class ThreadTimes:
    """The least milliseconds of a step by number of threads, over several loads: other load only makes it slower."""

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self.numbers = numbers
        self._least_ms: dict[int, float] = {}
        self._loads = 0

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to be tried: there is no choice, or it was made often enough."""
        if len(self.numbers) == 1:
            return True
        is_tried = self._loads >= _ENOUGH_LOADS and len(self._least_ms) == len(self.numbers)
        return is_tried and self._loads % _AGAIN_EVERY != 0

    @property
    def best(self) -> int:
        """The fastest, or the fewest threads that are nearly as fast; before anything was tried, the usual number."""
        if len(self._least_ms) < len(self.numbers):
            return self.numbers[0]
        enough_ms = min(self._least_ms.values()) / _ALIKE
        return min(number for number, ms in self._least_ms.items() if ms <= enough_ms)

    def add(self, found_ms: Mapping[int, float]) -> None:
        """The least of one load; where it did not come to all numbers, it says nothing about which is best."""
        if set(found_ms) != set(self.numbers):
            return
        self._least_ms = {number: min(ms, self._least_ms.get(number, ms)) for number, ms in found_ms.items()}
        self._loads += 1

    def state(self) -> dict[str, object]:
        """For JSON."""
        return {"least_ms": {str(number): round(ms, 4) for number, ms in self._least_ms.items()}, "loads": self._loads}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a remembered state; raises ValueError, TypeError, KeyError or AttributeError if it is none."""
        times = {int(number): float(ms) for number, ms in state["least_ms"].items()}
        if times and set(times) == set(self.numbers) and all(0 < ms < 1e7 for ms in times.values()):
            self._least_ms, self._loads = times, int(state["loads"])
            if self.is_settled:
                self._loads += 1  # a load without a try counts, so that the next one comes
