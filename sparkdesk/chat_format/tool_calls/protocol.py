"""What a format's reader says about the text behind an opening tag."""

from dataclasses import dataclass
from typing import Protocol

MORE, DONE, BROKEN = "more", "done", "broken"


@dataclass(frozen=True, slots=True)
class ReadResult:
    """So far, or at last."""

    status: str
    """MORE text is needed; DONE; or BROKEN: this is no call, as far as nothing of it has been told."""
    used: int = 0
    """How many characters of the text belong to the call, or have been dealt with."""
    name: str | None = None
    """Of the function, once."""
    arguments: str = ""
    """The next piece of the arguments' JSON text."""


class ToolCallReader(Protocol):
    """Reads one call. What it decides depends on the text alone, never on the pieces in which it came."""

    def read(self, text: str, *, is_last: bool) -> ReadResult:
        """`text` begins behind what earlier readings used; `is_last`: no more will come."""
        ...


class ToolCallFormat(Protocol):
    """How a family of models writes calls."""

    opening: str

    def reader(self, *, is_constrained: bool) -> ToolCallReader: ...

    def skip_closing(self, text: str, *, is_last: bool) -> int | None:
        """How much of the text behind a call belongs to its closing; None when that is not yet known."""
        ...
