"""How fast each rotary dimension turns, plain or stretched to a longer context."""

from dataclasses import dataclass

import numpy as np

from tests.reference.numerics import Array


@dataclass(frozen=True, slots=True)
class Rope:
    theta: float = 10_000.0
    kind: str = "default"
    factor: float = 1.0
    original_context: int = 0

    def frequencies(self, head_dim: int) -> Array:
        half = head_dim // 2
        plain: Array = self.theta ** (-np.arange(half) / half)
        if self.kind != "yarn":
            return plain / self.factor
        stretched = plain / self.factor
        kept = self._share_kept(half)
        return plain * kept + stretched * (1 - kept)

    @property
    def magnitude(self) -> float:
        """YaRN sharpens attention a little, to make up for the longer context."""
        return 1 + 0.1 * float(np.log(self.factor)) if self.kind == "yarn" else 1.0

    def _share_kept(self, half: int) -> Array:
        """One for dimensions that turn 32 times or more in the original context, zero for those below one turn."""
        low, high = np.floor(self._dimension_of(32, half)), np.ceil(self._dimension_of(1, half))
        ramp: Array = np.clip((np.arange(half) - max(low, 0)) / (min(high, 2 * half - 1) - max(low, 0)), 0, 1)
        return 1 - ramp

    def _dimension_of(self, turns: float, half: int) -> float:
        return float(half * np.log(self.original_context / (turns * 2 * np.pi)) / np.log(self.theta))


PLAIN = Rope()
