"""Texts of special tokens, found in other text, and marked where they are only text."""

import re
from collections.abc import Iterator, Sequence

LITERAL = "\ufdd0"
"""A noncharacter of Unicode, so that no text has it by right."""


class PieceFinder:
    """Finds pieces in a text from left to right, of several at one place the longest."""

    def __init__(self, pieces: Sequence[str]) -> None:
        self.pieces = frozenset(pieces)
        lengths: dict[str, set[int]] = {}
        for piece in self.pieces:
            lengths.setdefault(piece[0], set()).add(len(piece))
        self._lengths = {first: sorted(each, reverse=True) for first, each in lengths.items()}
        self._firsts = re.compile(f"[{re.escape(''.join(lengths))}]" if lengths else r"(?!)")

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """(begin, end) of each."""
        at = 0
        for first in self._firsts.finditer(text):
            begin = first.start()
            if begin < at:
                continue
            ends = (begin + length for length in self._lengths[text[begin]])
            at = next((end for end in ends if end <= len(text) and text[begin:end] in self.pieces), at)
            if at > begin:
                yield begin, at


def as_text(text: str, control: PieceFinder) -> str:
    """The same text with every control token in it marked as typed."""
    text = text.replace(LITERAL, "")
    marked, start = [], 0
    for begin, _ in control.find(text):
        marked += [text[start : begin + 1], LITERAL]
        start = begin + 1
    return "".join((*marked, text[start:]))
