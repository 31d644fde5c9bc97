"""What the models screen needs from below: what is on this machine, what can be had, and getting it.

The real one is in backend/, which the screen does not know; tests and the screen's own development use a scripted one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sparkdesk.builder.catalog_state import BuildJob, Contents, JobResult
    from sparkdesk.builder.estimate import Forecast
    from sparkdesk.events import Journey
    from sparkdesk.fit import Plan
    from sparkdesk.hub.search import Hit
    from sparkdesk.library.model import Model, Pair, Partial
    from sparkdesk.library.removal import Removal


class ModelManager(Protocol):
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

    def ask(self, order: BuildJob) -> Journey[Forecast | None]:
        """What the order takes, in every quantization that is to be had; downloads no more than headers."""
        ...

    def get(self, order: BuildJob) -> Journey[JobResult]:
        """Download, convert, check and try; finished steps are not done again. Closing it keeps what has come."""
        ...

    def resume(self, partial: Partial) -> Journey[JobResult]:
        """Go on with a download that was cut."""
        ...

    def plan_removal(self, what: Pair | Model | Partial | None) -> Removal:
        """What would go; None is everything unfinished that nobody is writing."""
        ...

    def remove(self, removal: Removal) -> None: ...
