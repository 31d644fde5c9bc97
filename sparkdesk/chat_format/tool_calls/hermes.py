"""Calls as Qwen3 and the Hermes family write them: <tool_call>{"name": ..., "arguments": {...}}</tool_call>."""

import json
import re

from sparkdesk.chat_format.tool_calls.json_scan import JsonScanner
from sparkdesk.chat_format.tool_calls.protocol import BROKEN, DONE, MORE, ReadResult, ToolCallReader

_CLOSING = "</tool_call>"
_HEAD = re.compile(r'\n\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)+")\s*,\s*"arguments"\s*:\s*(?=\{)')
"""What a constrained call begins with. The grammar takes over behind the line break."""
_ENDING = re.compile(r"\s*\}?\s*")


class HermesFormat:
    opening = "<tool_call>"

    def reader(self, *, is_constrained: bool) -> ToolCallReader:
        return _ConstrainedReader() if is_constrained else _WholeReader()

    def skip_closing(self, text: str, *, is_last: bool) -> int | None:
        """The tag, and a brace that was the object's or one too many; models forget either."""
        match = _ENDING.match(text)
        assert match is not None, "it matches nothing at all too"
        rest = text[match.end() :]
        if rest.startswith(_CLOSING):
            return match.end() + len(_CLOSING)
        if _CLOSING.startswith(rest) and not is_last:
            return None
        return match.end() if rest or is_last else None


class _WholeReader:
    """Nothing is told before the object is whole and valid."""

    def __init__(self) -> None:
        self._scan = JsonScanner()
        self._scanned = 0

    def read(self, text: str, *, is_last: bool) -> ReadResult:
        start = len(text) - len(text.lstrip())
        self._scanned = max(self._scanned, start)
        self._scanned += self._scan.scan(text[self._scanned :])
        if self._scan.is_broken or (is_last and not self._scan.is_over):
            return ReadResult(BROKEN)
        if not self._scan.is_over:
            return ReadResult(MORE)
        call = _call(text[start : self._scanned])
        return ReadResult(BROKEN) if call is None else ReadResult(DONE, self._scanned, *call)


class _ConstrainedReader:
    """The name as soon as it is known, the arguments as they come."""

    def __init__(self) -> None:
        self._whole = _WholeReader()
        self._arguments: JsonScanner | None = None

    def read(self, text: str, *, is_last: bool) -> ReadResult:
        if self._arguments is None:
            head = _HEAD.match(text)
            name = _text(head[1]) if head else None
            if head is None or name is None:
                return self._whole.read(text, is_last=is_last)
            self._arguments = JsonScanner()
            return ReadResult(MORE, head.end(), name)
        used = self._arguments.scan(text)
        status = BROKEN if self._arguments.is_broken else DONE if self._arguments.is_over else MORE
        return ReadResult(BROKEN if is_last and status == MORE else status, used, None, text[:used])


def _call(source: str) -> tuple[str, str] | None:
    """Name and arguments as JSON text; None when it is no call."""
    try:
        call = json.loads(source, strict=False)  # models write line breaks into strings as they are
        name, arguments = call["name"], call.get("arguments")
        if isinstance(arguments, str):
            arguments = json.loads(arguments or "{}", strict=False)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    arguments = {} if arguments is None else arguments
    if not isinstance(name, str) or not name or not isinstance(arguments, dict):
        return None
    return name, _as_written(source, arguments)


def _as_written(source: str, arguments: dict[str, object]) -> str:
    """The model's own spelling where it is JSON proper, so that a constrained reading tells the same."""
    head = _HEAD.match("\n" + source)
    if head is not None:
        rest = source[head.end() - 1 :]
        written = rest[: JsonScanner().scan(rest)]
        try:
            if json.loads(written) == arguments:
                return written
        except (ValueError, RecursionError):
            pass
    return json.dumps(arguments, ensure_ascii=False)


def _text(literal: str) -> str | None:
    try:
        return str(json.loads(literal))
    except ValueError:
        return None
