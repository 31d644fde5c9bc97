"""What a conversation needs of the engine: the part of runner.client.EngineClient that tests replace."""

from collections.abc import Generator, Sequence
from typing import Protocol

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import GenerationSettings, SpeculationSettings
from sparkdesk.runner.protocol import Compared, Finished, Prefilling, RoundDone


class Engine(Protocol):
    """A loaded pair behind whatever boundary."""

    @property
    def model(self) -> ModelInfo | None: ...
    def tokenize(self, text: str, parse_special: bool = True) -> tuple[int, ...]: ...
    def generate(
        self,
        tokens: Sequence[int],
        settings: GenerationSettings,
        ignore_end: bool = False,
        spells_control: bool = False,
    ) -> Generator[Prefilling | RoundDone | Finished, None, None]:
        """Raises EngineError; closing it early ends the reply. `spells_control`: see runner.protocol.Generate."""
        ...

    def set_speculation(self, settings: SpeculationSettings) -> None: ...
    def cancel(self) -> None: ...
    def close(self) -> None:
        """End it, whatever it is doing: it must be loaded again."""
        ...

    def compare(self, tokens: Sequence[int], first: int, second: int) -> Compared: ...
