"""Text from a model, a file, a server or a hub is shown, never obeyed: one filter for all of it.

A terminal acts on control characters (ESC, C0, C1, DEL), and a reader is misled by those that turn the direction of
writing or cannot be seen at all (Unicode's format characters). Each of them becomes a symbol: ␛, or <U+202E>.
"""

import os
import re
import sys
from typing import TextIO, cast

# Joiners shape letters of many scripts, and emoji; between ASCII characters they only hide.
_JOINERS = r"(?<![^\x00-\x7f])[\u200c\u200d]"
# Subdivision flags (England, Scotland, Wales) are spelt in tag characters; everywhere else those are invisible text.
_FLAG = r"(?P<kept>\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f)"
# Unicode's categories Cc, Cf, Cs, Zl and Zp, without the joiners and the Arabic and Kaithi signs that are visible.
_HIDDEN_RANGES = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ufdd0-\ufdef\ud800-\udfff\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_HIDDEN = re.compile(f"{_FLAG}|[{_HIDDEN_RANGES}]|{_JOINERS}")
_HIDDEN_OR_BREAK = re.compile(f"{_FLAG}|[{_HIDDEN_RANGES}\t\n]|{_JOINERS}")
_PICTURES, _DELETE = 0x2400, 0x7F


def safe_text(text: str) -> str:
    """For text of several lines: newlines and tabs stay, a carriage return before a newline goes, the rest is shown."""
    return _HIDDEN.sub(_symbol, text.replace("\r\n", "\n"))


def safe_rest(text: str, before: str) -> str:
    """The same for text that goes on after `before`, which was shown already: what a joiner joins may have been there,
    and a line may have ended with it."""
    last = "" if before.endswith("\r") else before[-1:]
    return safe_text(last + text)[len(safe_text(last)) :]


def safe_line(text: str) -> str:
    """For a name, a title or a message: nothing begins another line."""
    return _HIDDEN_OR_BREAK.sub(_symbol, text)


def _symbol(found: re.Match[str]) -> str:
    if found["kept"]:
        return found["kept"]
    code = ord(found[0])
    if code < 0x20:
        return chr(_PICTURES + code)
    return "␡" if code == _DELETE else f"<U+{code:04X}>"


class TerminalGuard:
    """A terminal's stream that shows control characters instead of passing them on, but for those marked as our own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        key = os.urandom(8).hex()  # so that no text from outside can claim to be ours
        self._open, self._close = f"\ufdd0{key}", f"\ufdd1{key}"
        self._own = re.compile(f"{self._open}(.*?){self._close}", re.DOTALL)

    def own(self, control: str) -> str:
        return f"{self._open}{control}{self._close}"

    def write(self, text: str) -> int:
        parts = self._own.split(text)  # text and our controls in turn
        self._stream.write("".join(part if index % 2 else safe_text(part) for index, part in enumerate(parts)))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def guard_terminals() -> None:
    """Put the guard before stdout and stderr where they are terminals; a file or a pipe gets the bytes as they are."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and stream.isatty() and not isinstance(stream, TerminalGuard):
            setattr(sys, name, cast(TextIO, TerminalGuard(stream)))


def own_control(stream: TextIO, control: str) -> str:
    """An escape sequence or carriage return of ours, as that stream lets it through."""
    return stream.own(control) if isinstance(stream, TerminalGuard) else control
