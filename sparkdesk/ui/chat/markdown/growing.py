"""Markdown that grows at its end: blocks that can no longer change are drawn once, the last one again and again."""

import re
from collections.abc import Sequence

from markdown_it.token import Token
from textual.content import Content

from sparkdesk.ui.chat.markdown.blocks import markdown_lines, parse

_LONGEST_TAIL = 2500
"""Characters of a last block that are drawn at every step; of a longer one, the beginning is taken as done."""
_KEPT_TAIL = 800
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_SPACE = Content("")


class GrowingMarkdown:
    """Has lines of one width at a time. `finish` mends what taking the beginning of a long block as done has spoilt."""

    def __init__(self, text: str = "") -> None:
        self._parts = [text]
        self._tail = text
        """What is drawn again at every step; an open code block begins with its fence, and a table with
        its head, even where it was cut."""
        self._is_growing = False
        self._has_cut = False
        self._is_joined = False
        """The tail goes on with the block that the done lines end with."""
        self._repeated_count = 0
        """Lines that drawing the tail begins with and that are there already: of what was cut, the head of a table
        or the language of code."""
        self._width = 0
        self._lines: list[Content] = []
        self._done_count = 0

    @property
    def source(self) -> str:
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0]

    def lines(self, width: int) -> Sequence[Content]:
        if width != self._width:
            self._width = width
            self._begin()
        return self._lines

    def grow(self, added: str) -> None:
        self._parts.append(added)
        if self._is_growing:
            self._tail += added
            self._advance()
        else:
            self._is_growing = True
            self._begin()

    def finish(self, text: str) -> None:
        """This is the whole. One that only grew is right as it is, unless it defines addresses after their use."""
        self._is_growing = False
        if self._has_cut or "]:" in text or text != self.source:
            self._parts = [text]
            self._begin()

    def _begin(self) -> None:
        """Draw everything."""
        self._lines, self._done_count = [], 0
        self._has_cut = self._is_joined = False
        self._repeated_count = 0
        self._tail = self.source
        if self._is_growing:
            self._advance()
        elif self._width:
            self._lines = markdown_lines(parse(self._tail), self._width)

    def _advance(self) -> None:
        if not self._width:
            return
        tokens = parse(self._tail)
        last = _last_block(tokens)
        if last:
            start_line = (tokens[last].map or [0])[0]
            self._settle(tokens[:last])
            self._tail = _from_line(self._tail, start_line)
            tokens = tokens[last:]
        if len(self._tail) > _LONGEST_TAIL and tokens and (cut := _cut(self._tail, tokens[0])):
            done, self._tail = cut
            self._settle(parse(done))
            self._has_cut = self._is_joined = True
            tokens = parse(self._tail)
            if tokens[0].type == "table_open":
                self._repeated_count = len(markdown_lines(parse(_head(self._tail)), self._width))
            elif tokens[0].type == "fence" and tokens[0].info.strip():
                self._repeated_count = 1  # the name of its language
        self._show(tokens)

    def _settle(self, tokens: Sequence[Token]) -> None:
        self._show(tokens)
        self._done_count = len(self._lines)
        self._is_joined = False
        self._repeated_count = 0

    def _show(self, tokens: Sequence[Token]) -> None:
        """After what is done."""
        del self._lines[self._done_count :]
        drawn = markdown_lines(tokens, self._width)[self._repeated_count :]
        if drawn and self._lines and not self._is_joined:
            self._lines.append(_SPACE)
        self._lines += drawn


def _last_block(tokens: Sequence[Token]) -> int:
    """Where the last block of the document begins; 0 when there is one at most."""
    for index in range(len(tokens) - 1, 0, -1):
        if tokens[index].level == 0 and tokens[index].nesting >= 0:
            return index
    return 0


def _cut(text: str, block: Token) -> tuple[str, str] | None:
    """The beginning of a long block, and the rest with which it goes on; None where a block must stay whole."""
    if block.type == "fence":
        return _cut_fence(text)
    if block.type == "table_open":
        at = text.rfind("\n", 0, -_KEPT_TAIL) + 1
        head = _head(text)
        return (text[:at], head + text[at:]) if at > len(head) else None
    if block.type == "paragraph_open":
        at = text.rfind("\n", 0, -_KEPT_TAIL) + 1 or text.rfind(" ", 0, -_KEPT_TAIL) + 1
        return (text[:at], text[at:]) if at else None
    if block.type in ("bullet_list_open", "ordered_list_open"):
        items = [
            token.map[0] for token in parse(text) if token.type == "list_item_open" and token.level == 1 and token.map
        ]
        rest = _from_line(text, items[-1])
        return (text[: -len(rest)], rest) if len(items) > 1 else None
    return None


def _cut_fence(text: str) -> tuple[str, str] | None:
    fence, _, code = text.partition("\n")
    at = code.rfind("\n", 0, -_KEPT_TAIL) + 1
    if not at or not _FENCE.match(fence):
        return None
    return f"{fence}\n{code[:at]}", f"{fence}\n{code[at:]}"


def _head(table: str) -> str:
    """Its names and the rule below them."""
    return "".join(table.splitlines(keepends=True)[:2])


def _from_line(text: str, line: int) -> str:
    start = 0
    for _ in range(line):
        start = text.index("\n", start) + 1
    return text[start:]
