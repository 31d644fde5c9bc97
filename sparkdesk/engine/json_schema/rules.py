"""Grammar rules in the making: names, repetitions of any size in few rules, and a bound on it all.

Expressions are text of llama.cpp's grammar language; whatever is repeated or put beside others is one symbol.
"""

from sparkdesk.engine.json_schema.automaton import Steps
from sparkdesk.engine.json_schema.refusal import refusal

_MOST_CHARACTERS = 200_000
_MOST_RULES = 6_000
_MOST_REPEATS = 200
"""llama.cpp copies a rule as often as it is repeated; what repeats more often does so in blocks."""


class Rules:
    """Rules by name. Raises GrammarError where there come to be too many of them."""

    def __init__(self) -> None:
        self._bodies: dict[str, str] = {}
        self._names: dict[str, str] = {}
        """By body, so that nothing is written twice."""
        self._characters = 0
        self.steps = Steps()

    def add(self, hint: str, body: str) -> str:
        """The name of a rule that says `body`."""
        known = self._names.get(body)
        if known is None:
            known = self._names[body] = self.reserve(hint)
            self.define(known, body)
        return known

    def reserve(self, hint: str) -> str:
        """A name that `define` gives its body later: rules may refer to themselves."""
        name = f"{hint}-{len(self._bodies)}"
        self._bodies[name] = ""
        if len(self._bodies) > _MOST_RULES:
            raise refusal("it asks for too much at once")
        return name

    def define(self, name: str, body: str) -> None:
        self._bodies[name] = body
        self._characters += len(body) + len(name)
        if self._characters > _MOST_CHARACTERS:
            raise refusal("it asks for too much at once")

    def text(self, root: str) -> str:
        lines = (f"{name} ::= {body}" for name, body in self._bodies.items())
        return "\n".join((f"root ::= {root}", *lines)) + "\n"

    def repeated(self, symbol: str, least: int, most: int | None) -> str:
        """`symbol` from `least` to `most` times; None is without end."""
        if most is None:
            return _joined(self._exactly(symbol, least), f"{symbol}*")
        return _joined(self._exactly(symbol, least), self._up_to(symbol, most - least)) or '""'

    def _exactly(self, symbol: str, count: int) -> str:
        if count <= _MOST_REPEATS:
            return {0: "", 1: symbol}.get(count, f"{symbol}{{{count}}}")
        blocks, rest = divmod(count, _MOST_REPEATS)
        return _joined(self._exactly(self._block(symbol), blocks), self._exactly(symbol, rest))

    def _up_to(self, symbol: str, count: int) -> str:
        """Whole blocks and then less than one: every length is said in one way only."""
        if count <= _MOST_REPEATS:
            return {0: "", 1: f"{symbol}?"}.get(count, f"{symbol}{{0,{count}}}")
        block = self._block(symbol)
        blocks, rest = divmod(count + 1, _MOST_REPEATS)
        below = _joined(self._up_to(block, blocks - 1), self._up_to(symbol, _MOST_REPEATS - 1))
        if not rest:
            return below
        full = _joined(self._exactly(block, blocks), self._up_to(symbol, rest - 1))
        return f"({below} | {full})"

    def _block(self, symbol: str) -> str:
        return self.add("block", f"{symbol}{{{_MOST_REPEATS}}}")


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))
