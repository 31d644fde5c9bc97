"""Calls as Gemma 4 writes them: <|tool_call>call:name{key:value,...}<tool_call|>, strings between <|"|> tokens.

It is no JSON: keys are bare, and strings are not escaped, because their delimiter is a token of its own.
"""

import json
import re

from sparkdesk.chat_format.tool_calls.protocol import BROKEN, DONE, MORE, ReadResult, ToolCallReader

_CLOSING = "<tool_call|>"
_QUOTE = '<|"|>'
_HEAD = re.compile(r"\s*call:\s*([\w.-]+)\s*(?=\{)")
_BORDERS = re.compile(rf"{re.escape(_QUOTE)}|{re.escape(_CLOSING)}")
_BARE = re.compile(r"[^,:{}\[\]]+")
_MOST_NESTED = 64
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None, "None": None}


class Gemma4Format:
    opening = "<|tool_call>"

    def reader(self, *, is_constrained: bool) -> ToolCallReader:
        return _Call(is_constrained)

    def skip_closing(self, text: str, *, is_last: bool) -> int | None:
        return 0  # a call ends with its closing tag, or with the reply


class _Call:
    """Arguments are told when they are whole: only then can they become JSON."""

    def __init__(self, is_constrained: bool) -> None:
        self._is_constrained = is_constrained
        self._is_named = False
        self._end = _EndScan()

    def read(self, text: str, *, is_last: bool) -> ReadResult:
        if self._is_constrained and not self._is_named:
            head = _HEAD.match(text)
            if head is not None:
                self._is_named, self._end = True, _EndScan()
                return ReadResult(MORE, head.end(), head[1])
        end = self._end.find(text)
        if end is None and not is_last:
            return ReadResult(MORE)
        body = text if end is None else text[:end]
        used = len(body) + (0 if end is None else len(_CLOSING))
        name, arguments = (None, body) if self._is_named else _split(body)
        said = _as_json(arguments)
        if said is None or (name is None and not self._is_named):
            return ReadResult(BROKEN, used)
        return ReadResult(DONE, used, name, said)


class _EndScan:
    """Looks at each character once, however often the text has grown."""

    def __init__(self) -> None:
        self._at = 0
        self._is_in_string = False

    def find(self, text: str) -> int | None:
        """Where the closing tag is that stands in no string."""
        for border in _BORDERS.finditer(text, self._at):
            if border[0] == _CLOSING and not self._is_in_string:
                return border.start()
            self._is_in_string ^= border[0] == _QUOTE
            self._at = border.end()
        self._at = max(self._at, len(text) - len(_CLOSING) + 1)
        return None


def _split(body: str) -> tuple[str | None, str]:
    head = _HEAD.match(body)
    return (head[1], body[head.end() :]) if head else (None, "")


def _as_json(notation: str) -> str | None:
    """None when it is not an object in Gemma's notation."""
    try:
        value, end = _value(notation.strip(), 0, 0)
    except ValueError:
        return None
    if end != len(notation.strip()) or not isinstance(value, dict):
        return None
    return json.dumps(value, ensure_ascii=False)


def _value(text: str, at: int, depth: int) -> tuple[object, int]:
    """The value that begins there, and where it ends. Raises ValueError."""
    at = _past_space(text, at)
    if depth > _MOST_NESTED:
        raise ValueError("nested too deeply")
    if text.startswith("{", at):
        return _object(text, at + 1, depth)
    if text.startswith("[", at):
        return _array(text, at + 1, depth)
    if text.startswith((_QUOTE, '"'), at):
        return _string(text, at)
    bare = _BARE.match(text, at)
    if bare is None:
        raise ValueError("no value")
    return _word(bare[0].strip()), bare.end()


def _object(text: str, at: int, depth: int) -> tuple[object, int]:
    result: dict[str, object] = {}
    at = _past_space(text, at)
    while not text.startswith("}", at):
        key, at = _key(text, at)
        at = _past(text, at, ":")
        result[key], at = _value(text, at, depth + 1)
        at = _past_comma(text, at, "}")
    return result, at + 1


def _array(text: str, at: int, depth: int) -> tuple[object, int]:
    result: list[object] = []
    at = _past_space(text, at)
    while not text.startswith("]", at):
        value, at = _value(text, at, depth + 1)
        result.append(value)
        at = _past_comma(text, at, "]")
    return result, at + 1


def _key(text: str, at: int) -> tuple[str, int]:
    if text.startswith((_QUOTE, '"'), at):
        return _string(text, at)
    bare = _BARE.match(text, at)
    if bare is None:
        raise ValueError("no key")
    return bare[0].strip(), bare.end()


def _string(text: str, at: int) -> tuple[str, int]:
    if text.startswith(_QUOTE, at):
        start = at + len(_QUOTE)
        end = text.index(_QUOTE, start)
        return text[start:end], end + len(_QUOTE)
    value, end = json.JSONDecoder(strict=False).raw_decode(text, at)
    return str(value), end


def _word(word: str) -> object:
    if word in _WORDS:
        return _WORDS[word]
    try:
        number = json.loads(word)
    except ValueError:
        return word
    return number if isinstance(number, int | float) and abs(number) < float("inf") else word


def _past_comma(text: str, at: int, closing: str) -> int:
    at = _past_space(text, at)
    if text.startswith(closing, at):
        return at
    return _past_space(text, _past(text, at, ","))


def _past(text: str, at: int, character: str) -> int:
    at = _past_space(text, at)
    if not text.startswith(character, at):
        raise ValueError(f"no {character}")
    return at + 1


def _past_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
