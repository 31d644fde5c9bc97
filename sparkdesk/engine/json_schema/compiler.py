"""From the text of a schema to a grammar."""

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache

from sparkdesk.engine.gbnf import never_ends
from sparkdesk.engine.json_schema import decimals, integers, strings
from sparkdesk.engine.json_schema.alternatives import alternatives, fits
from sparkdesk.engine.json_schema.arrays import array_rule
from sparkdesk.engine.json_schema.constraints import NOTHING_SAID, Constraints, Together
from sparkdesk.engine.json_schema.expressions import any_literal, one_of
from sparkdesk.engine.json_schema.formats import PATTERNS
from sparkdesk.engine.json_schema.objects import object_rule
from sparkdesk.engine.json_schema.references import Node, Work
from sparkdesk.engine.json_schema.refusal import refusal, shown
from sparkdesk.engine.json_schema.rules import Rules

MOST_SCHEMA_CHARACTERS = 100_000
_MOST_NESTED = 100
_ORDER = ("object", "array", "string", "number", "integer", "boolean", "null")
_BRACKETS = re.compile(r'"(?:[^"\\]+|\\.)*"?|([\[{])|([\]}])', re.DOTALL)


@dataclass(frozen=True, slots=True)
class CompiledSchema:
    gbnf: str
    unenforced: tuple[str, ...] = ()
    """What a reply is not held to, such as formats that are only known by name."""


@lru_cache(maxsize=16)
def compile_schema(text: str) -> CompiledSchema:
    """The grammar of what fits the schema; "{}" is any JSON object.

    Raises GrammarError, with the keyword and its place, where the schema says something that cannot be enforced.
    """
    if len(text) > MOST_SCHEMA_CHARACTERS:
        raise refusal(f"it has {len(text):,} characters, and {MOST_SCHEMA_CHARACTERS:,} are the most")
    _check_depth(text)
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError):
        raise refusal("it is not valid JSON") from None
    if not isinstance(schema, dict):
        raise refusal("it is not an object")
    compiler = _Compiler()
    try:
        root = compiler.symbol((Node(schema or {"type": "object"}, schema, "", Work()),))
    except RecursionError:
        raise refusal("it is nested too deeply") from None
    gbnf = compiler.rules.text(root)
    if never_ends(gbnf):
        raise refusal("what fits it would have no end: something requires itself")
    return CompiledSchema(gbnf, tuple(compiler.unenforced))


def _check_depth(text: str) -> None:
    depth = 0
    for bracket in _BRACKETS.finditer(text):
        depth += (bracket[1] is not None) - (bracket[2] is not None)
        if depth > _MOST_NESTED:
            raise refusal("it is nested too deeply")


@dataclass
class _Compiler:
    rules: Rules = field(default_factory=Rules)
    unenforced: dict[str, None] = field(default_factory=dict)
    _names: dict[frozenset[tuple[int, int]], str] = field(default_factory=dict)
    _any: str = ""

    def symbol(self, together: Together) -> str:
        """The name of the rule of what fits all of these."""
        key = frozenset(node.key for node in together)
        if key not in self._names:
            self._names[key] = name = self.rules.reserve("value")
            self.rules.define(name, self._expression(together))
        return self._names[key]

    def _expression(self, together: Together) -> str:
        options = alternatives(together)
        spoken = [each for option in options for each in self._option(option)]
        if not spoken:
            raise refusal("nothing fits it", together[0].path if together else "")
        return one_of(spoken)

    def _option(self, limits: Constraints) -> list[str]:
        if limits.values is not None:
            fitting = [value for value in limits.values if fits(value, limits)]
            return [any_literal(json.dumps(value, ensure_ascii=False) for value in fitting)] if fitting else []
        types = limits.types
        if types is None:
            types = limits.speaks_of()  # what says nothing of its type means the one it speaks of
        if not types:
            return [self._any_value()]
        if types >= {"number", "integer"}:
            types = types - {"integer"}
        return [self._of_type(kind, limits) for kind in _ORDER if kind in types]

    def _of_type(self, kind: str, limits: Constraints) -> str:
        match kind:
            case "object":
                return object_rule(self.rules, limits, self.symbol)
            case "array":
                return array_rule(self.rules, limits, self.symbol)
            case "string":
                return strings.quoted(self.rules, self._text(limits))
            case "number" if not limits.is_whole:
                return decimals.number(self.rules, limits.low, limits.high, limits.path)
            case "number" | "integer":
                low, high = decimals.smallest_integer(limits.low), decimals.largest_integer(limits.high)
                return integers.integer(self.rules, low, high, limits.multiple, limits.path)
            case "boolean":
                return '("true" | "false")'
            case _:
                return '"null"'

    def _text(self, limits: Constraints) -> str:
        least, most = limits.lengths
        known = [name for name in sorted(limits.formats) if name in PATTERNS]
        self.unenforced |= {f'format "{shown(name)}"': None for name in sorted(limits.formats) if name not in PATTERNS}
        patterns = [*sorted(limits.patterns), *(PATTERNS[name] for name in known)]
        if patterns:
            return strings.patterned(self.rules, patterns, least, most, limits.path)
        return strings.any_text(self.rules, least, most)

    def _any_value(self) -> str:
        """Any JSON at all."""
        if not self._any:
            self._any = self.rules.reserve("any")
            alone = [self._of_type(kind, NOTHING_SAID) for kind in ("string", "number", "boolean", "null")]
            nested = [self._of_type(kind, NOTHING_SAID) for kind in ("object", "array")]
            self.rules.define(self._any, one_of([*nested, *alone]))
        return self._any
