"""Pieces of llama.cpp's grammar language."""

from collections.abc import Iterable


def one_of(alternatives: list[str]) -> str:
    """One symbol for several expressions; each once."""
    distinct = list(dict.fromkeys(alternatives))
    return distinct[0] if len(distinct) == 1 and " " not in distinct[0] else f"({' | '.join(distinct)})"


def literal(text: str) -> str:
    """The expression that says just this."""
    return '"' + "".join(_escaped(letter) for letter in text) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() else code_point(ord(letter))


def any_literal(texts: Iterable[str]) -> str:
    """One symbol for several texts. What they begin with in common is written once: llama.cpp follows every way."""
    by_letter: dict[str, list[str]] = {}
    for text in dict.fromkeys(texts):
        by_letter.setdefault(text[:1], []).append(text)
    found = []
    for group in by_letter.values():
        shared = _beginning(min(group), max(group))
        rests = [text[len(shared) :] for text in group]
        found.append(literal(shared) if len(group) == 1 else f"{literal(shared)} {any_literal(rests)}")
    return one_of(found)


def _beginning(one: str, other: str) -> str:
    length = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:length]


def code_point(number: int) -> str:
    """An escape that llama.cpp reads."""
    if number < 0x100:
        return f"\\x{number:02X}"
    return f"\\u{number:04X}" if number < 0x10000 else f"\\U{number:08X}"
