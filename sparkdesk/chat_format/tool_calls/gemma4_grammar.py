"""The grammar of a function's arguments in Gemma 4's notation, from their JSON schema.

Keys come in the order in which the model's own template writes them. What a schema says beyond types, enums,
alternatives, items and required properties is left to the model.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

_MOST_NESTED = 16
_VALUES = r"""
object ::= "{" (key ":" value ("," key ":" value)*)? "}"
array ::= "[" (value ("," value)*)? "]"
key ::= [a-zA-Z_] [a-zA-Z0-9_.-]*
value ::= string | number | boolean | null | object | array
string ::= "<|\"|>" ([^<] | "<" [^|])* "<|\"|>"
number ::= integer ("." [0-9]+)? ([eE] [-+]? [0-9]+)?
integer ::= "-"? ("0" | [1-9] [0-9]*)
boolean ::= "true" | "false"
null ::= "null"
"""
_PLAIN = frozenset(("string", "number", "integer", "boolean", "null", "array", "object"))
_HEEDED = frozenset("type enum const anyOf oneOf items properties required additionalProperties".split())
_REMARKS = frozenset(
    "title description default examples deprecated readOnly writeOnly $schema $id $comment $defs definitions".split()
)


class Gemma4Grammar:
    """Collects rules; `text` is all of them."""

    def __init__(self) -> None:
        self._rules: list[str] = []

    def text(self, root: str) -> str:
        return "\n".join((f"root ::= {root}", *self._rules)) + _VALUES

    def arguments(self, schema: Mapping[str, Any]) -> str:
        """The name of the rule for an object that fits the schema, braces included."""
        properties = schema.get("properties")
        return self._object(schema, 0) if isinstance(properties, Mapping) else "object"

    def _value(self, schema: object, depth: int) -> str:
        if not isinstance(schema, Mapping) or depth > _MOST_NESTED:
            return "value"
        for name in ("enum", "anyOf", "oneOf"):
            choices = schema.get(name)
            if isinstance(choices, list) and choices:
                each = map(_literal, choices) if name == "enum" else (self._value(one, depth + 1) for one in choices)
                return self._rule(" | ".join(each))
        if "const" in schema:
            return _literal(schema["const"])
        kind = schema.get("type")
        if isinstance(kind, list):
            return self._rule(" | ".join(self._value({**schema, "type": each}, depth + 1) for each in kind) or "value")
        if kind == "array" and isinstance(schema.get("items"), Mapping):
            item = self._value(schema["items"], depth + 1)
            return self._rule(f'"[" ({item} ("," {item})*)? "]"')
        if kind == "object" and isinstance(schema.get("properties"), Mapping):
            return self._object(schema, depth)
        return kind if isinstance(kind, str) and kind in _PLAIN else "value"

    def _object(self, schema: Mapping[str, Any], depth: int) -> str:
        required = schema.get("required")
        needed = (
            set(required) if isinstance(required, list) and all(isinstance(each, str) for each in required) else set()
        )
        pairs = [
            (f"{_quoted(name)} {self._value(inner, depth + 1)}", key in needed)
            for key, inner in sorted(schema["properties"].items(), key=lambda pair: str(pair[0]).lower())
            for name in [f"{key}:"]
        ]
        return self._rule(f'"{{" {self._pairs(pairs, is_first=True)} "}}"')

    def _pairs(self, pairs: Sequence[tuple[str, bool]], *, is_first: bool) -> str:
        """Those that must come, and any of the others, with commas between."""
        if not pairs:
            return '""'
        (pair, is_needed), rest = pairs[0], pairs[1:]
        after = self._pairs(rest, is_first=False)
        with_it = f"{pair} {after}" if is_first else f'"," {pair} {after}'
        if is_needed:
            return self._rule(with_it)
        without_it = self._pairs(rest, is_first=True) if is_first else after
        return self._rule(f"{with_it} | {without_it}")

    def _rule(self, body: str) -> str:
        name = f"r{len(self._rules)}"
        self._rules.append(f"{name} ::= {body}")
        return name


def keywords_left_out(schema: object, depth: int = 0) -> tuple[str, ...]:
    """What the schema says that the grammar leaves to the model, such as minimum or $ref."""
    if not isinstance(schema, Mapping):
        return ()
    if depth > _MOST_NESTED:
        return ("what is nested deeply",)
    found = dict.fromkeys(str(name) for name in schema if name not in _HEEDED and name not in _REMARKS)
    properties = schema.get("properties")
    inner = list(properties.values()) if isinstance(properties, Mapping) else []
    for name in ("anyOf", "oneOf"):
        inner += schema[name] if isinstance(schema.get(name), list) else []
    for each in (*inner, schema.get("items")):
        found |= dict.fromkeys(keywords_left_out(each, depth + 1))
    return tuple(found)


def _literal(value: object) -> str:
    return _quoted(f'<|"|>{value}<|"|>' if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _quoted(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return f'"{text}"'
