"""The bench of a desk that is connected to a server: there is nothing to measure with, and it says so."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sparkdesk.bench.requests import CardMade, SuiteAsked, SweepAsked
from sparkdesk.engine.settings import SamplingSettings
from sparkdesk.errors import EngineError, UsageError
from sparkdesk.events import Notice, Progress

if TYPE_CHECKING:
    from sparkdesk.bench.race import RaceEvent, RaceSettings
    from sparkdesk.bench.results import Comparison
    from sparkdesk.bench.run_store import KeptRun
    from sparkdesk.bench.suite import Prompt
    from sparkdesk.bench.sweep import Swept, Tuned


class NoBench:
    """Satisfies ui.bench.protocol.Bench."""

    sampling = SamplingSettings()

    def __init__(self, name: str) -> None:
        self._name = name

    def prompts(self) -> "Sequence[Prompt]":
        return ()

    def race(self, text: str, settings: "RaceSettings") -> "Iterator[RaceEvent]":
        self._refuse()

    def run(self, asked: SuiteAsked) -> "Iterator[Progress | Notice | Comparison]":
        self._refuse()

    def sweep(self, asked: SweepAsked) -> "Iterator[Progress | Notice | Swept | Tuned]":
        self._refuse()

    def keep(self, asked: SuiteAsked, comparisons: "Sequence[Comparison]", *, is_complete: bool) -> "KeptRun":
        raise UsageError("There is nothing to keep.")

    def runs(self) -> "Sequence[KeptRun]":
        return ()

    def forget(self, run: "KeptRun") -> None:
        raise UsageError("There is nothing to forget.")

    def card(self, run: "KeptRun") -> Iterator[Progress | CardMade]:
        self._refuse()

    def save(self, made: CardMade, out: Path) -> Sequence[Path]:
        raise UsageError("There is nothing to save.")

    def _refuse(self) -> NoReturn:
        raise EngineError(
            f"The bench measures the engine of this machine, and this desk is connected to {self._name}.",
            "Measure there: sparkdesk bench run.",
        )
