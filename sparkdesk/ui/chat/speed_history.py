"""Speed over time: rounds poured into bins of equal duration. Counts decoding time only; knows nothing of screens."""

from collections import deque
from dataclasses import dataclass, replace

CAPACITY = 48
FIRST_BIN_MS = 20.0
LAST_BIN_MS = 1280.0
NOW_MS = 500.0


@dataclass(frozen=True, slots=True)
class Bin:
    """A stretch of decoding."""

    tokens: float = 0.0
    elapsed_ms: float = 0.0
    speculating_ms: float = 0.0

    @property
    def tokens_per_second(self) -> float:
        return 1e3 * self.tokens / self.elapsed_ms if self.elapsed_ms > 0 else 0.0

    @property
    def is_speculating(self) -> bool:
        return 2 * self.speculating_ms >= self.elapsed_ms

    def plus(self, other: "Bin") -> "Bin":
        return Bin(
            self.tokens + other.tokens,
            self.elapsed_ms + other.elapsed_ms,
            self.speculating_ms + other.speculating_ms,
        )


class SpeedHistory:
    """The last stretch of decoding. Bins double in length as it grows, so that a fast reply fills the chart as well
    as a slow one; from LAST_BIN_MS on the oldest are dropped."""

    def __init__(self) -> None:
        self._bins: deque[Bin] = deque([Bin()])
        self._recent: deque[Bin] = deque()
        self.bin_ms = FIRST_BIN_MS

    @property
    def bins(self) -> tuple[Bin, ...]:
        return tuple(each for each in self._bins if each.elapsed_ms > 0)

    @property
    def now(self) -> float:
        """Tokens per second over the last half second of decoding."""
        total = Bin()
        for each in self._recent:
            total = total.plus(each)
        return total.tokens_per_second

    def add(self, tokens: int, elapsed_ms: float, *, is_speculating: bool) -> None:
        """A round's tokens are spread evenly over its duration."""
        if elapsed_ms <= 0:
            return
        poured = Bin(tokens, elapsed_ms, elapsed_ms if is_speculating else 0.0)
        self._remember(poured)
        while poured.elapsed_ms > 1e-9:
            room_ms = self.bin_ms - self._bins[-1].elapsed_ms
            if room_ms <= 1e-9:
                self._open_bin()
                continue
            share = min(1.0, room_ms / poured.elapsed_ms)
            self._bins[-1] = self._bins[-1].plus(_part(poured, share))
            poured = _part(poured, 1 - share)

    def forget_now(self) -> None:
        """A new reply's speed does not start with the old one's."""
        self._recent.clear()

    def _remember(self, poured: Bin) -> None:
        self._recent.append(poured)
        excess_ms = sum(each.elapsed_ms for each in self._recent) - NOW_MS
        while len(self._recent) > 1 and excess_ms >= self._recent[0].elapsed_ms:
            excess_ms -= self._recent.popleft().elapsed_ms

    def _open_bin(self) -> None:
        self._bins.append(Bin())
        if len(self._bins) <= CAPACITY:
            return
        if self.bin_ms >= LAST_BIN_MS:
            self._bins.popleft()
            return
        self.bin_ms *= 2
        bins = list(self._bins)
        self._bins = deque(first.plus(second) for first, second in zip(bins[0::2], [*bins[1::2], Bin()], strict=False))


def _part(whole: Bin, share: float) -> Bin:
    return replace(
        whole,
        tokens=whole.tokens * share,
        elapsed_ms=whole.elapsed_ms * share,
        speculating_ms=whole.speculating_ms * share,
    )
