"""The frozen events every journey yields: the CLI prints them, the UI posts them, the server streams them."""

from dataclasses import dataclass


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
