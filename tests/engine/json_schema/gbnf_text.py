"""Random texts that fit a grammar as the schema compiler writes it: an independent reading of llama.cpp's language."""

import random
import re
from dataclasses import dataclass, field

_TOKEN = re.compile(r'\s+|"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|[a-zA-Z0-9-]+|\{\d+(?:,\d*)?\}|[()|*+?]')
_ESCAPE = re.compile(r"\\(?:x([0-9A-F]{2})|u([0-9A-F]{4})|U([0-9A-F]{8})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t"}
_EXTRA = 2
"""How often at most more than the least where a repetition has a wide range."""


@dataclass
class Item:
    """A literal, a class, a rule's name or a group, and how often it comes."""

    kind: str
    text: str = ""
    group: "list[list[Item]]" = field(default_factory=list)
    least: int = 1
    most: int | None = 1


class Grammar:
    def __init__(self, text: str, seed: int) -> None:
        self._random = random.Random(seed)
        self._rules = {}
        for line in text.splitlines():
            name, body = line.split(" ::= ", 1)
            tokens = [token for token in _TOKEN.findall(body) if not token.isspace()]
            assert "".join(tokens) == re.sub(r'("(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\])|\s+', r"\1", body), body
            self._rules[name] = _choice(tokens)
            assert not tokens, body
        self._heights: dict[str, float] = dict.fromkeys(self._rules, float("inf"))
        self._find_heights()

    def sample(self, wish: int = 30) -> str:
        """A text; after about `wish` choices the shortest way out is taken."""
        self._left = wish
        return self._choose(self._rules["root"])

    def _choose(self, options: list[list[Item]]) -> str:
        self._left -= 1
        if self._left < 0:
            options = [min(options, key=self._height)]
        return "".join(self._repeat(item) for item in self._random.choice(options))

    def _repeat(self, item: Item) -> str:
        most = item.least + 40 if item.most is None else item.most
        high = min(most, item.least + _EXTRA) if self._random.random() < 0.9 else most
        count = item.least if self._left < 0 else self._random.randint(item.least, high)
        return "".join(self._say(item) for _ in range(count))

    def _say(self, item: Item) -> str:
        if item.kind == "literal":
            return _unescaped(item.text)
        if item.kind == "class":
            return self._letter(item.text)
        return self._choose(self._rules[item.text] if item.kind == "rule" else item.group)

    def _letter(self, inside: str) -> str:
        is_inverted, ranges = inside.startswith("^"), _ranges(inside.removeprefix("^"))
        while True:
            if is_inverted:
                code = self._random.choice([self._random.randint(0x20, 0x7E), self._random.randint(0x80, 0x2FFFF)])
            else:
                code = self._random.choice([*self._random.choice(ranges), self._random.randint(*ranges[0])])
            if any(low <= code <= high for low, high in ranges) != is_inverted and not 0xD800 <= code <= 0xDFFF:
                return chr(code)

    def _find_heights(self) -> None:
        for _ in range(len(self._rules)):
            before = dict(self._heights)
            for name, options in self._rules.items():
                self._heights[name] = 1 + min(map(self._height, options))
            if before == self._heights:
                break

    def _height(self, option: list[Item]) -> float:
        return max((self._item_height(item) for item in option if item.least), default=0)

    def _item_height(self, item: Item) -> float:
        if item.kind == "rule":
            return self._heights[item.text]
        return min(map(self._height, item.group)) if item.kind == "group" else 0


def _choice(tokens: list[str]) -> list[list[Item]]:
    options: list[list[Item]] = [[]]
    while tokens and tokens[0] != ")":
        token = tokens.pop(0)
        if token == "|":
            options.append([])
        elif token in "*+?" or token[0] == "{":
            options[-1][-1].least, options[-1][-1].most = _times(token)
        elif token == "(":
            options[-1].append(Item("group", group=_choice(tokens)))
            assert tokens.pop(0) == ")"
        else:
            kind = {'"': "literal", "[": "class"}.get(token[0], "rule")
            options[-1].append(Item(kind, token if kind == "rule" else token[1:-1]))
    return options


def _times(token: str) -> tuple[int, int | None]:
    if token[0] != "{":
        return {"*": (0, None), "+": (1, None), "?": (0, 1)}[token]
    least, comma, most = token[1:-1].partition(",")
    return int(least), int(most) if most else None if comma else int(least)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_letter_of, text)


def _letter_of(match: "re.Match[str]") -> str:
    code = match[1] or match[2] or match[3]
    return chr(int(code, 16)) if code else _LETTERS.get(match[4], match[4])


def _ranges(inside: str) -> list[tuple[int, int]]:
    letters: list[tuple[str, bool]] = []
    at = 0
    while at < len(inside):
        match = _ESCAPE.match(inside, at)
        letters.append((_letter_of(match), True) if match else (inside[at], False))
        at = match.end() if match else at + 1
    found, index = [], 0
    while index < len(letters):
        first = last = letters[index][0]
        if index + 2 < len(letters) and letters[index + 1] == ("-", False):
            last, index = letters[index + 2][0], index + 2
        found.append((ord(first), ord(last)))
        index += 1
    return found
