"""What the bench screen needs from below: measurements with the desk's own engine, and what is kept of them.

The real one is in backend/, which the screen does not know; tests and the screen's own development use a scripted one.
Nothing of the bench is imported before the screen is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sparkdesk.bench.race import RaceEvent, RaceSettings
    from sparkdesk.bench.requests import CardMade, SuiteAsked, SweepAsked
    from sparkdesk.bench.results import Comparison
    from sparkdesk.bench.run_store import KeptRun
    from sparkdesk.bench.suite import Prompt
    from sparkdesk.bench.sweep import Swept, Tuned
    from sparkdesk.engine.model_info import ModelInfo
    from sparkdesk.engine.settings import SamplingSettings
    from sparkdesk.events import Notice, Progress


class Bench(Protocol):
    """Every measurement runs in the thread that iterates; closing the iterator early ends it after the round.

    One at a time, and none while a reply is in the making: they raise EngineBusy before their first event. They raise
    EngineError when the engine fails in the midst.
    """

    @property
    def sampling(self) -> SamplingSettings:
        """What replies in the chat are sampled with, for a race that is not greedy."""
        ...

    def prompts(self) -> Sequence[Prompt]:
        """The suite that suits the loaded pair."""
        ...

    def race(self, text: str, settings: RaceSettings) -> Iterator[RaceEvent]:
        """The text as the first words of a conversation, answered twice; the Race comes last."""
        ...

    def run(self, asked: SuiteAsked) -> Iterator[Progress | Notice | Comparison]:
        """Every prompt plainly and with speculation."""
        ...

    def sweep(self, asked: SweepAsked) -> Iterator[Progress | Notice | Swept | Tuned]:
        """Each prompt at every draft length, and then as the scheduler would have it."""
        ...

    def keep(self, asked: SuiteAsked, comparisons: Sequence[Comparison], *, is_complete: bool) -> KeptRun:
        """The figures of what was measured, into the user's state folder. Also after the engine's death.

        Raises UsageError.
        """
        ...

    def runs(self) -> Sequence[KeptRun]:
        """All that are kept, newest first."""
        ...

    def forget(self, run: KeptRun) -> None:
        """Delete a kept run. Raises UsageError."""
        ...

    def card(self, run: KeptRun) -> Iterator[Progress | CardMade]:
        """A report card of it, which has the hashes of its files: of the loaded pair, unless they were made before.

        CardMade comes last. Raises UsageError.
        """
        ...

    def save(self, made: CardMade, out: Path) -> Sequence[Path]:
        """As Markdown, and its figures as JSON beside it; nothing is overwritten. Raises UsageError."""
        ...


class BenchBackend(Protocol):
    """What is measured with, and what is loaded of it."""

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> ModelInfo | None:
        """What is loaded; None where nothing is, or no more."""
        ...

    @property
    def bench(self) -> Bench:
        """Measurements with the engine of this backend."""
        ...
