"""SIGTERM and SIGHUP end the screen as a user who leaves does: what was said is kept, the engine is ended, and the
terminal gets its own screen, its cursor and its mouse back."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

from textual.app import App

_SIGNALS = tuple(
    number for number in (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")) if number is not None
)
FORCE_SECONDS = 4.0
"""What the screen takes to leave in good order, and more."""
EXIT_CODE_BASE = 128
"""A shell says 128 + n of a program that signal n has ended."""


class Termination:
    """Used around everything that is run on the terminal; `is_for` names the application in front."""

    def __init__(self, close: Callable[[], None] = lambda: None) -> None:
        """`close` ends what must not be cut off, where the screen cannot do so any more."""
        self._close = close
        self._has_left = threading.Event()
        self.exit_code = 0
        """0 while nobody has asked for the end."""
        self._app: App[Any] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._has_left.set()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def is_for(self, app: App[Any]) -> None:
        self._app = app

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        is_again, self.exit_code = bool(self.exit_code), EXIT_CODE_BASE + number
        if not is_again:
            threading.Thread(target=self._end_by_force, args=(number,), daemon=True).start()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # between two applications there is no screen to leave
            raise SystemExit(self.exit_code) from None
        loop.call_soon_threadsafe(self._leave, is_again)

    def _end_by_force(self, number: int) -> None:
        """Textual waits for ever to draw on a terminal that is gone, and nothing in its own thread runs any more."""
        began_s = time.monotonic()
        if number != signal.SIGTERM:
            with suppress(Exception):  # it may be closed by the screen at the same time
                self._close()
        if not self._has_left.wait(max(0.0, FORCE_SECONDS - (time.monotonic() - began_s))):
            os._exit(self.exit_code)

    def _leave(self, is_again: bool) -> None:
        """The second time at once, without waiting for a reply to be kept."""
        assert self._app is not None
        if is_again:
            self._app.exit()
        else:
            self._leaving = asyncio.get_running_loop().create_task(self._app.action_quit())
