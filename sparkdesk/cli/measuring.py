"""The bench that the screen is given: the journeys of bench/ with the desk's own engine."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sparkdesk.cli import bench_pair
from sparkdesk.cli.pairs import DEMO_NAME
from sparkdesk.cli.shared_engine import SharedEngine
from sparkdesk.engine.settings import SamplingSettings

if TYPE_CHECKING:
    from sparkdesk.bench.race import RaceEvent, RaceSettings
    from sparkdesk.bench.suite import Prompt
    from sparkdesk.cli.desk import PairDesk


class DeskBench:
    """Satisfies ui.measuring.Bench."""

    def __init__(self, desk: "PairDesk", engine: SharedEngine) -> None:
        self._desk, self._engine = desk, engine

    @property
    def sampling(self) -> SamplingSettings:
        return self._desk.conversation.settings.sampling

    def prompts(self) -> "Sequence[Prompt]":
        from sparkdesk.bench.suite import DEFAULT, TINY, read_suite

        return read_suite(TINY if self._desk.name == DEMO_NAME else DEFAULT)

    def race(self, text: str, settings: "RaceSettings") -> "Iterator[RaceEvent]":
        from sparkdesk.bench.race import RACE_DOMAIN, race
        from sparkdesk.bench.suite import Prompt

        with self._engine.reserved():
            yield from race(
                self._engine,
                Prompt(RACE_DOMAIN, RACE_DOMAIN, text),
                settings,
                render=bench_pair.renderer(self._engine, settings.sampling),
                judge=bench_pair.judge(self._engine),
            )
