"""Sets of characters, as regular expressions name them and as they are written within a text of JSON."""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from sparkdesk.engine.json_schema.expressions import code_point, literal, one_of

LAST = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)
Range = tuple[int, int]
CharacterSet = tuple[Range, ...]
"""Ranges in ascending order, both ends included, none touching another; no surrogates."""

_NEVER_PLAIN: CharacterSet = ((0x00, 0x1F), (0x22, 0x22), (0x5C, 0x5C))
_SHORT_ESCAPES = {0x08: "b", 0x09: "t", 0x0A: "n", 0x0C: "f", 0x0D: "r", 0x22: '"', 0x5C: "\\"}

DIGITS: CharacterSet = ((0x30, 0x39),)
WORD: CharacterSet = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
SPACES: CharacterSet = ((0x09, 0x0D), (0x20, 0x20))
"""What every dialect of regular expressions takes for white space."""
_ALL_SPACES: CharacterSet = (
    *((0x09, 0x0D), (0x1C, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A)),
    *((0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)),
)
_LINE_ENDS: CharacterSet = ((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029))


def joined(ranges: Iterable[Range]) -> CharacterSet:
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


def without(one: CharacterSet, other: CharacterSet) -> CharacterSet:
    found: list[Range] = []
    for first, last in one:
        for low, high in other:
            if high < first or low > last:
                continue
            if low > first:
                found.append((first, low - 1))
            first = high + 1
        if first <= last:
            found.append((first, last))
    return tuple(found)


EVERY: CharacterSet = without(((0, LAST),), (_SURROGATES,))
ANY_BUT_LINE_ENDS = without(EVERY, _LINE_ENDS)


def inverted(those: CharacterSet) -> CharacterSet:
    return without(EVERY, those)


@lru_cache(maxsize=1)
def not_digits() -> CharacterSet:
    """What is a digit nowhere: some dialects count those of all scripts."""
    return inverted(_in_categories("Nd"))


@lru_cache(maxsize=1)
def not_word() -> CharacterSet:
    return inverted(joined((*_in_categories("L", "M", "N"), (0x5F, 0x5F))))


def not_spaces() -> CharacterSet:
    return inverted(_ALL_SPACES)


def as_json_text(those: CharacterSet) -> str:
    """One symbol: a character of the set, as it stands between quotes in JSON."""
    plain = without(those, _NEVER_PLAIN)
    found = [in_class(plain)] if plain else []
    for first, last in those:
        found += [_escape(code) for code in range(first, min(last, 0x5C) + 1) if code < 0x20 or code in (0x22, 0x5C)]
    return one_of(found)


def in_class(those: CharacterSet) -> str:
    return (
        "["
        + "".join(_shown(first) if first == last else f"{_shown(first)}-{_shown(last)}" for first, last in those)
        + "]"
    )


def _shown(code: int) -> str:
    letter = chr(code)
    return letter if code < 0x80 and letter.isalnum() else code_point(code)


def _escape(code: int) -> str:
    short = _SHORT_ESCAPES.get(code)
    return literal(f"\\{short}" if short is not None else f"\\u{code:04x}")


@lru_cache(maxsize=2)
def _in_categories(*prefixes: str) -> CharacterSet:
    codes = (code for code in range(LAST + 1) if unicodedata.category(chr(code)).startswith(prefixes))
    return joined((code, code) for code in codes)
