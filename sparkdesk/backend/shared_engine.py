"""The engine that makes replies and is measured with: never both at once, for the figures would be false."""

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import GenerationSettings, SpeculationSettings
from sparkdesk.errors import EngineBusy
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.protocol import Compared, Finished, Prefilling, RoundDone

_MEASURING = ("The bench is measuring with this model.", "Wait for its end, or stop it: F8, then Esc.")
_REPLYING = ("A reply is being written.", "Wait for its end, or stop it: Esc in the chat.")


class SharedEngine:
    """An engine that one thread can have for itself; others are refused then, with EngineBusy, and do not queue.

    Satisfies chat.engine.Engine and bench.engine.Engine. What concerns all who share it, loading and the end of its
    process, is the client's.
    """

    def __init__(self, client: EngineClient) -> None:
        self.client = client
        self._turns = threading.Lock()
        self._owner: int | None = None
        """The thread that has it."""
        self._replies = 0

    @property
    def model(self) -> ModelInfo | None:
        return self.client.model

    @property
    def is_reserved(self) -> bool:
        return self._owner is not None

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """For the thread that asks. Raises EngineBusy while a reply is in the making or another thread has it."""
        with self._turns:
            if self._owner is not None:
                raise EngineBusy(*_MEASURING)
            if self._replies:
                raise EngineBusy(*_REPLYING)
            self._owner = threading.get_ident()
        try:
            yield
        finally:
            self._owner = None

    def generate(
        self,
        tokens: Sequence[int],
        settings: GenerationSettings,
        ignore_end: bool = False,
        spells_control: bool = False,
    ) -> Generator[Prefilling | RoundDone | Finished, None, None]:
        with self._turns:
            self._check_turn()
            self._replies += 1
        try:
            yield from self.client.generate(tokens, settings, ignore_end, spells_control)
        finally:
            with self._turns:
                self._replies -= 1

    def tokenize(self, text: str, parse_special: bool = True) -> tuple[int, ...]:
        self._check_turn()
        return self.client.tokenize(text, parse_special)

    def compare(self, tokens: Sequence[int], first: int, second: int) -> Compared:
        self._check_turn()
        return self.client.compare(tokens, first, second)

    def set_speculation(self, settings: SpeculationSettings) -> None:
        self.client.set_speculation(settings)

    def cancel(self) -> None:
        self.client.cancel()

    def close(self) -> None:
        self.client.close()

    def _check_turn(self) -> None:
        if self._owner not in (None, threading.get_ident()):
            raise EngineBusy(*_MEASURING)
