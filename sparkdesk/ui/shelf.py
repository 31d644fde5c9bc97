"""What the models screen needs from below: what is on this machine, what can be had, and getting it.

The command line assembles the real one; tests and the screen's own development use a scripted one.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from sparkdesk.events import Notice, Progress

if TYPE_CHECKING:
    from sparkdesk.assembly.forecast import Forecast
    from sparkdesk.catalog.entry import PairEntry
    from sparkdesk.fit import Plan
    from sparkdesk.hub.search import Hit
    from sparkdesk.library.model import Library, Model, Pair, Partial
    from sparkdesk.library.removal import Removal

Told = Progress | Notice
Result = TypeVar("Result")
Journey = Generator[Told, None, Result]
"""Runs in the thread that iterates; yields at least twice a second while it works, and is cancelled by closing it."""
SILENCE = Notice("")
"""Nothing to tell; yielded so that a journey can be cancelled there."""

READY, DOWNLOADED, BEGUN, ABSENT = "ready", "downloaded", "begun", "not here"


@dataclass(frozen=True, slots=True)
class Listed:
    """A pair of the catalogue."""

    entry: PairEntry
    state: str
    """READY to open, DOWNLOADED but not built, BEGUN, or ABSENT."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is here, and what is known."""

    library: Library
    catalogue: tuple[Listed, ...] = ()
    problem: str = ""
    """Why the user's own catalogue could not be read; ours is there all the same."""


@dataclass(frozen=True, slots=True)
class Order:
    """Something to be had."""

    name: str
    """A pair's name; of a lone model, its repository."""
    is_pair: bool = True
    quantization: str = ""
    """Empty leaves it to what fits."""
    target: str = ""
    """Repository or path, where the catalogue does not say."""
    draft: str = ""


@dataclass(frozen=True, slots=True)
class Got:
    sentence: str
    opens: str = ""
    """The pair that can be opened now; empty for a model alone."""


class Shelf(Protocol):
    """Every method takes its time, so none is for the screen's own thread. All raise SparkDeskError."""

    @property
    def bundled(self) -> str:
        """The name of the pair that comes with SparkDesk and needs no download."""
        ...

    def contents(self) -> Contents: ...

    def free(self) -> str:
        """What memory is free, in words."""
        ...

    def fit(self, target: Model, draft: Model | None) -> Plan | None:
        """How it would load here, with the loaded pair gone; None where the file cannot be read."""
        ...

    def search(self, text: str) -> Journey[list[Hit]]: ...

    def ask(self, order: Order) -> Journey[Forecast | None]:
        """What the order takes, in every quantization that is to be had; downloads no more than headers."""
        ...

    def get(self, order: Order) -> Journey[Got]:
        """Download, convert, check and try; finished steps are not done again. Closing it keeps what has come."""
        ...

    def resume(self, partial: Partial) -> Journey[Got]:
        """Go on with a download that was cut."""
        ...

    def plan_removal(self, what: Pair | Model | Partial | None) -> Removal:
        """What would go; None is everything unfinished that nobody is writing."""
        ...

    def remove(self, removal: Removal) -> None: ...
