"""How fast bytes come, over the last few seconds."""

from collections import deque

_WINDOW_S = 5.0
_LEAST_S = 0.2


class Rate:
    """Only what was downloaded counts, not what was there before."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()  # (when, bytes until then)

    def at(self, now_s: float, done_bytes: int) -> float:
        """Bytes per second; 0 as long as nothing can be said."""
        self._seen.append((now_s, done_bytes))
        while self._seen[0][0] < now_s - _WINDOW_S and len(self._seen) > 2:
            self._seen.popleft()
        since_s, since_bytes = self._seen[0]
        return (done_bytes - since_bytes) / (now_s - since_s) if now_s - since_s >= _LEAST_S else 0.0
