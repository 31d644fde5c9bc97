"""Reads a GBNF grammar as far as needed to know that llama.cpp can bear it; what is wrong in it, llama.cpp says. Pure.

llama.cpp reads a grammar by recursion, copies what is repeated, and follows every way a rule may begin: a few lines can
take all memory, the stack, or for ever.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field

from sparkdesk.errors import GrammarError

MOST_CHARACTERS = 256 * 1024
_MOST_NESTED = 1100
_MOST_ELEMENTS = 400_000
_MOST_RULES = 40_000
_MOST_BEGINNINGS = 10_000
_DEEPEST = 2000

_TOKEN = re.compile(
    r"""(?P<skip>[\s]+|\#[^\r\n]*)
      | (?P<name>[a-zA-Z0-9-]+)(?P<defines>\s*::=)?
      | (?P<text>"(?:\\.|[^"\\])*") | (?P<any>\[(?:\\.|[^\]\\])*\]|\.|!?<[^>]*>)
      | (?P<repeat>[*+?]|\{\s*(?P<least>\d+)\s*(?P<comma>,)?\s*(?P<most>\d*)\s*\})
      | (?P<mark>[|()])""",
    re.VERBOSE | re.DOTALL,
)
_TERMINAL = ""


@dataclass(slots=True)
class _Open:
    """A rule or a group that is being read."""

    name: str
    alternatives: list[list[str]] = field(default_factory=lambda: [[]])
    last: int = 0
    """Where in the last alternative the symbol begins that a repetition repeats."""
    elements: int = 0
    """Characters and references of that symbol."""


class _Grammar:
    """The rules of a grammar, those of its groups and repetitions too: each a list of alternatives, each of symbols."""

    def __init__(self, text: str) -> None:
        self.rules: dict[str, list[list[str]]] = {}
        self.elements = 0
        self.has_token_rules = False
        self._made = 0
        self._stack: list[_Open] = []
        for match in self._tokens(text):
            self._take(match)
            if len(self._stack) > _MOST_NESTED:
                raise _too_much("its groups are nested too deeply")
            if self.elements > _MOST_ELEMENTS or len(self.rules) > _MOST_RULES:
                raise _too_much("it repeats too much")
        self._close_all()

    def _tokens(self, text: str) -> "list[re.Match[str]]":
        """As far as it can be read: llama.cpp stops there too, and says why."""
        found, at = [], 0
        while (match := _TOKEN.match(text, at)) is not None and match.end() > at:
            at = match.end()
            if match["skip"] is None:
                found.append(match)
        return found

    def _take(self, match: "re.Match[str]") -> None:
        if match["defines"] is not None:
            self._close_all()
            self._stack.append(_Open(match["name"]))
        elif not self._stack:
            return
        elif match["mark"] == "|":
            self._stack[-1].alternatives.append([])
        elif match["mark"] == "(":
            self._stack.append(_Open(self._new_name()))
        elif match["mark"] == ")":
            self._close()
        elif match["repeat"] is not None:
            self._repeat(match)
        elif match["name"] is not None:
            self._add(match["name"], 1)
        elif match["text"] is not None:
            self._add(_TERMINAL, len(match["text"]) - 2)
        else:
            self._add(_TERMINAL, len(match["any"]))
            self.has_token_rules |= match["any"][0] in "<!"

    def _add(self, symbol: str, elements: int) -> None:
        top = self._stack[-1]
        top.last, top.elements = len(top.alternatives[-1]), elements
        self.elements += elements
        if elements:
            top.alternatives[-1].append(symbol)

    def _repeat(self, match: "re.Match[str]") -> None:
        least, most = _times(match)
        top = self._stack[-1]
        sequence = top.alternatives[-1]
        symbol = sequence[top.last :]
        copies = least + (1 if most is None else max(0, most - least))
        self.elements += top.elements * copies
        top.elements *= max(1, copies)
        del sequence[top.last :]
        sequence += symbol * min(least, 2)  # more of the same begins no differently
        if most is None or most > least:
            sequence.append(self._optional(symbol, most is None))
            self._made += max(0, copies - 1)
            if self._made > _MOST_RULES:
                raise _too_much("it repeats too much")

    def _optional(self, symbol: list[str], is_endless: bool) -> str:
        name = self._new_name()
        self.rules[name] = [[*symbol, name] if is_endless else [*symbol], []]
        return name

    def _close(self) -> None:
        done = self._stack.pop()
        self.rules[done.name] = done.alternatives
        if self._stack:
            self._add(done.name, 1)

    def _close_all(self) -> None:
        while self._stack:
            self._close()

    def _new_name(self) -> str:
        self._made += 1
        return f"({self._made}"


def check(text: str) -> bool:
    """Whether it has rules for single tokens, such as <|im_end|>, beside those for letters.

    Raises GrammarError where llama.cpp would take too long over this grammar, or too much memory, or fall over it.
    """
    if len(text) > MOST_CHARACTERS:
        raise _too_much(f"it has {len(text):,} characters, and {MOST_CHARACTERS:,} are the most")
    grammar = _Grammar(text)
    empty = _may_be_empty(grammar.rules)
    _check_beginnings({name: _beginnings(alternatives, empty) for name, alternatives in grammar.rules.items()})
    return grammar.has_token_rules


def never_ends(text: str) -> bool:
    """Whether no text of finite length fits the grammar: its root comes back to itself on every way."""
    rules = _Grammar(text).rules
    ending: set[str] = {_TERMINAL}
    used_in: dict[str, list[str]] = defaultdict(list)
    for name, alternatives in rules.items():
        for symbol in {symbol for alternative in alternatives for symbol in alternative}:
            used_in[symbol].append(name)
    todo = list(rules)
    while todo:
        name = todo.pop()
        if name not in ending and any(all(symbol in ending for symbol in parts) for parts in rules[name]):
            ending.add(name)
            todo += used_in[name]
    return "root" not in ending


def _times(match: "re.Match[str]") -> tuple[int, int | None]:
    if match["least"] is None:
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[match["repeat"]]
        return least, most
    if len(match["least"]) + len(match["most"]) > 12:
        raise _too_much("it repeats too much")
    least = int(match["least"])
    if match["comma"] is None:
        return least, least
    return least, int(match["most"]) if match["most"] else None


def _may_be_empty(rules: dict[str, list[list[str]]]) -> set[str]:
    """The rules that may stand for nothing."""
    empty: set[str] = set()
    used_in: dict[str, list[str]] = defaultdict(list)
    for name, alternatives in rules.items():
        for alternative in alternatives:
            for symbol in alternative:
                used_in[symbol].append(name)
    todo = list(rules)
    while todo:
        name = todo.pop()
        if name not in empty and any(all(each in empty for each in parts) for parts in rules[name]):
            empty.add(name)
            todo += used_in[name]
    return empty


def _beginnings(alternatives: list[list[str]], empty: set[str]) -> list[tuple[str, bool]]:
    """The rules this one may begin with, and whether nothing of it comes after them."""
    found = []
    for alternative in alternatives:
        for place, symbol in enumerate(alternative):
            if symbol == _TERMINAL:
                break
            found.append((symbol, place == len(alternative) - 1))
            if symbol not in empty:
                break
    return found


def _check_beginnings(beginnings: dict[str, list[tuple[str, bool]]]) -> None:
    """Count the ways in which rules begin, as llama.cpp walks them all, and refuse those that begin with themselves."""
    ways: dict[str, int] = {}
    for root in beginnings:
        path: list[tuple[str, int, bool]] = [(root, 0, True)]  # rule, next beginning, whether it ends the rule before
        under_way = {root: 0}
        while path:
            name, place, is_last = path.pop()
            if name in ways:
                continue
            under_way[name] = len(path)
            if place == len(beginnings.get(name, ())):
                ways[name] = 1 + sum(ways.get(each, 0) for each, _ in beginnings.get(name, ()))
                del under_way[name]
                if ways[name] > _MOST_BEGINNINGS:
                    raise _too_much("its rules can begin in too many ways")
                continue
            path.append((name, place + 1, is_last))
            symbol, ends = beginnings[name][place]
            if symbol in under_way:
                steps = [each[2] for each in path[under_way[symbol] + 1 :]]
                if not (ends and all(steps)):
                    raise _too_much(f"{_shown(symbol)} begins with itself: that is left recursion")
            elif symbol not in ways and symbol in beginnings:
                if len(path) > _DEEPEST:
                    raise _too_much("its rules are nested too deeply")
                path.append((symbol, 0, ends))


def _shown(name: str) -> str:
    return "a group" if name.startswith("(") else f"the rule {name[:40]}"


def _too_much(reason: str) -> GrammarError:
    return GrammarError(f"The grammar cannot be used: {reason}.", "Write it with fewer repetitions and shorter rules.")
