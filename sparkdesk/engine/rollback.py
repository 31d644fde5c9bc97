"""Pure: how far back a cache may be cut after a pass, where llama.cpp itself would not say.

A recurrent layer holds one state, not one a token. llama.cpp keeps a few earlier ones (n_rs_seq), of the last pass
only: cutting as many rows as that pass had, or cutting twice, answers "done" and then gives wrong logits
(`llama-memory-recurrent.cpp`, `delta-net-base.cpp`). So a cache with such layers is cut through here alone.
"""

from typing import Protocol


class Rollback(Protocol):
    """What may be cut off the end of a cache now."""

    @property
    def most_rows(self) -> int:
        """Rows that may be cut after any pass that had more of them."""
        ...

    def passed(self, rows: int) -> None:
        """A pass of so many rows is in the cache."""
        ...

    def failed(self) -> None:
        """A pass began, and may have written what nobody knows."""
        ...

    def reset(self) -> None:
        """The cache was emptied, or holds what was saved before."""
        ...

    def cut(self, rows: int) -> bool:
        """Whether `rows` rows may be cut, which is then taken to happen."""
        ...


class FreeRollback:
    """Rows of a KV cache are independent of one another: any of them may go."""

    most_rows = 1 << 30

    def passed(self, rows: int) -> None: ...

    def failed(self) -> None: ...

    def reset(self) -> None: ...

    def cut(self, rows: int) -> bool:
        return True


class StateRollback:
    """Recurrent layers: once after each pass, fewer rows than it had, and at most as many as states are kept."""

    def __init__(self, states: int) -> None:
        """`states`: as llama.cpp granted them; 0 where it keeps none."""
        self.most_rows = states
        self._left = 0

    def passed(self, rows: int) -> None:
        self._left = min(self.most_rows, rows - 1)

    def failed(self) -> None:
        self._left = -1  # not even nothing may be cut: the state itself is in doubt

    def reset(self) -> None:
        self._left = 0

    def cut(self, rows: int) -> bool:
        if rows > self._left:
            return False
        self._left = 0
        return True
