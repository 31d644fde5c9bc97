"""What the bench screen needs from below: measurements with the desk's own engine, and what is kept of them.

The command line assembles the real one; tests and the screen's own development use a scripted one. Nothing of the
bench is imported before the screen is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sparkdesk.bench.race import RaceEvent, RaceSettings
    from sparkdesk.bench.suite import Prompt
    from sparkdesk.engine.settings import SamplingSettings


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
