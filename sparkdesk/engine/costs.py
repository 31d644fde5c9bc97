"""What a step costs on this machine, as the loop itself measures it."""

from collections import deque
from statistics import fmean

_REMEMBERED = 33


class PlainCost:
    """Cost of one plain decoding step: the mean of the last ones.

    A mean, because it is held against the sum of a reply's rounds: a median would leave the machine's stalls out of
    plain decoding and count them against speculation alone.
    """

    def __init__(self) -> None:
        self._seen_ms: deque[float] = deque(maxlen=_REMEMBERED)

    def observe(self, elapsed_ms: float) -> None:
        self._seen_ms.append(elapsed_ms)

    @property
    def ms_per_token(self) -> float:
        """0 when nothing was measured yet."""
        return fmean(self._seen_ms) if self._seen_ms else 0.0
