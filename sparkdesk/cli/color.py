"""A little colour for what stands out, where the terminal can show it and the user wants it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

_BOLD, _DIM, _RED, _GREEN, _YELLOW = "1", "2", "31", "32", "33"


@dataclass(frozen=True, slots=True)
class Colors:
    """Wraps text in escape codes, or leaves it as it is. Pad before painting: codes take no room on the screen."""

    is_on: bool = False

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
        return f"\033[{code}m{text}\033[0m" if self.is_on else text


def paint_for(stream: TextIO, environment: Mapping[str, str] = os.environ) -> Colors:
    is_wanted = not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    return Colors(stream.isatty() and is_wanted)


def is_unicode(stream: TextIO) -> bool:
    """Whether it can show more than ASCII."""
    return (stream.encoding or "").lower().replace("-", "").startswith("utf")
