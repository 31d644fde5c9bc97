"""What the whole screen needs from below: what its features need, and what it takes to report faults and to end."""

from typing import Protocol

from sparkdesk.ui.bench.protocol import BenchBackend
from sparkdesk.ui.chat.protocol import ChatBackend
from sparkdesk.ui.models.protocol import ModelManager


class Backend(ChatBackend, BenchBackend, Protocol):
    """Satisfied by backend/local.py and backend/remote.py, and by the tests' scripted one."""

    @property
    def models(self) -> ModelManager:
        """The models: on this machine, in the catalogue and on the hub."""
        ...

    @property
    def engine_words(self) -> str:
        """The end of what the engine's process wrote to stderr, for a bug report; no prompt or reply is in it."""
        ...

    def close(self) -> None:
        """Free everything. Called once, from any thread; makes a `load` or `reply` in another thread end soon."""
        ...
