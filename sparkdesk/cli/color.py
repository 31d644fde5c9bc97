"""A little colour for what stands out, where the terminal can show it and the user wants it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

from sparkdesk.safe_text import own_control

_BOLD, _DIM, _RED, _GREEN, _YELLOW = "1", "2", "31", "32", "33"


@dataclass(frozen=True, slots=True)
class Colors:
    """Wraps text in escape codes, or leaves it as it is. Pad before painting: codes take no room on the screen."""

    is_on: bool = False
    stream: TextIO | None = None
    """Where the text will be printed; a guarded terminal takes no codes but those marked for it."""

    def bold(self, text: str) -> str:
        return self._in(_BOLD, text)

    def dim(self, text: str) -> str:
        return self._in(_DIM, text)

    def bad(self, text: str) -> str:
        return self._in(_RED, text)

    def good(self, text: str) -> str:
        return self._in(_GREEN, text)

    def odd(self, text: str) -> str:
        return self._in(_YELLOW, text)

    def _in(self, code: str, text: str) -> str:
        return self._control(code) + text + self._control("0") if self.is_on else text

    def _control(self, code: str) -> str:
        control = f"\033[{code}m"
        return control if self.stream is None else own_control(self.stream, control)


def paint_for(stream: TextIO, environment: Mapping[str, str] = os.environ) -> Colors:
    is_wanted = not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    return Colors(stream.isatty() and is_wanted, stream)


def is_unicode(stream: TextIO) -> bool:
    """Whether it can show more than ASCII."""
    return (stream.encoding or "").lower().replace("-", "").startswith("utf")
