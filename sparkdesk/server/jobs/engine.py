"""What the server needs of the engine: the part of runner.client.EngineClient that tests replace."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import GenerationSettings
from sparkdesk.runner.protocol import Finished, Prefilling, RoundDone


class ReplyHandle(Protocol):
    """A reply that has been asked for."""

    def events(self) -> Iterator[Prefilling | RoundDone | Finished]: ...
    def cancel(self) -> None: ...


class ServedEngine(Protocol):
    """A loaded pair. Every method may be called from any thread; one reply at a time, text is cut beside it."""

    @property
    def model(self) -> ModelInfo | None: ...
    @property
    def is_alive(self) -> bool: ...
    @property
    def is_stalled(self) -> bool:
        """Whether it lives and does not react. It is ended by itself when that goes on."""
        ...

    def close(self) -> None:
        """End it, whatever it is doing; whoever waits for it is told."""
        ...

    def tokenize(self, text: str, parse_special: bool = True) -> tuple[int, ...]: ...
    def spell(self, tokens: Sequence[int]) -> tuple[bytes, ...]:
        """The text of each token, control tokens spelled out."""
        ...

    def ask_for_reply(
        self,
        tokens: Sequence[int],
        settings: GenerationSettings,
        ignore_end: bool = False,
        spells_control: bool = False,
    ) -> ReplyHandle: ...
