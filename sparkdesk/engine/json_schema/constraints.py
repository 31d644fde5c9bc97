"""What one schema object says, without its references and alternatives; and what two of them say together."""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from sparkdesk.engine.json_schema.decimals import Bound
from sparkdesk.engine.json_schema.references import Node
from sparkdesk.engine.json_schema.refusal import refusal

Together = tuple[Node, ...]
"""Schemas that hold all at once; none is any value."""
TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_MOST_LENGTH, _MOST_LEAST = 2**53, 1_000_000


@dataclass(frozen=True, slots=True)
class Constraints:
    """A conjunction of keywords. Defaults forbid nothing."""

    path: str = ""
    types: frozenset[str] | None = None
    values: tuple[Any, ...] | None = None
    """Of enum and const."""
    low: Bound | None = None
    high: Bound | None = None
    multiple: int = 1
    """Of 1 where nothing was said: then `is_whole` is False."""
    is_whole: bool = False
    lengths: tuple[int, int | None] = (0, None)
    patterns: frozenset[str] = frozenset()
    formats: frozenset[str] = frozenset()
    prefix: tuple[Together, ...] = ()
    items: Together | None = None
    """Of all behind the prefix; None where nothing is said."""
    item_counts: tuple[int, int | None] = (0, None)
    properties: Mapping[str, Together] = field(default_factory=dict)
    additional: Together | None = None
    required: tuple[str, ...] = ()
    property_counts: tuple[int, int | None] = (0, None)
    key_patterns: Mapping[str, Together] = field(default_factory=dict)
    keys: Together = ()

    def item(self, index: int) -> Together:
        return self.prefix[index] if index < len(self.prefix) else self.items or ()

    def property(self, name: str) -> Together:
        return self.properties.get(name, self.additional or ())

    def speaks_of(self) -> frozenset[str]:
        """The types that some keyword is about."""
        found = set()
        if self.low or self.high or self.is_whole:
            found.add("number")
        if self.lengths != (0, None) or self.patterns or self.formats:
            found.add("string")
        if self.prefix or self.items is not None or self.item_counts != (0, None):
            found.add("array")
        if self.properties or self.additional is not None or self.required or self.key_patterns or self.keys:
            found.add("object")
        if self.property_counts != (0, None):
            found.add("object")
        return frozenset(found)

    def size(self) -> int:
        """What there is to go through when it is put together with another."""
        return len(self.properties) + len(self.prefix) + len(self.required) + len(self.values or ())


NOTHING_SAID = Constraints()


def read(node: Node) -> Constraints:
    """The keywords of this object itself. Raises GrammarError."""
    schema = node.schema
    types = _types(node)
    low = _bound(node, "minimum", "exclusiveMinimum", max)
    high = _bound(node, "maximum", "exclusiveMaximum", min)
    multiple = _multiple(node)
    prefix_name = "prefixItems" if "prefixItems" in schema else "items" if isinstance(schema.get("items"), list) else ""
    rest_name = "additionalItems" if prefix_name == "items" else "items"
    prefix = _list(node, prefix_name) if prefix_name else []
    return Constraints(
        path=node.path,
        types=types,
        values=_values(node),
        low=low,
        high=high,
        multiple=multiple or 1,
        is_whole=multiple is not None,
        lengths=_counts(node, "minLength", "maxLength"),
        patterns=frozenset([_text(node, "pattern")] if "pattern" in schema else []),
        formats=frozenset([_text(node, "format")] if "format" in schema else []),
        prefix=tuple((node.inner(each, prefix_name, index),) for index, each in enumerate(prefix)),
        items=_inner(node, rest_name),
        item_counts=_counts(node, "minItems", "maxItems"),
        properties=_schemas(node, "properties"),
        additional=_inner(node, "additionalProperties"),
        required=_required(node),
        property_counts=_counts(node, "minProperties", "maxProperties"),
        key_patterns=_schemas(node, "patternProperties"),
        keys=_inner(node, "propertyNames") or (),
    )


def both(one: Constraints, other: Constraints) -> Constraints:
    """What fits both."""
    if one is NOTHING_SAID:
        return other
    count = max(len(one.prefix), len(other.prefix))
    names = dict.fromkeys((*one.properties, *other.properties))
    if (one.key_patterns and _names_keys(other)) or (other.key_patterns and _names_keys(one)):
        raise refusal("patternProperties beside properties of another part cannot be enforced", one.path or other.path)
    return Constraints(
        path=one.path or other.path,
        types=_common_types(one.types, other.types),
        values=_common_values(one.values, other.values),
        low=_tighter(one.low, other.low, max),
        high=_tighter(one.high, other.high, min),
        multiple=math.lcm(one.multiple, other.multiple),
        is_whole=one.is_whole or other.is_whole,
        lengths=_common_counts(one.lengths, other.lengths),
        patterns=one.patterns | other.patterns,
        formats=one.formats | other.formats,
        prefix=tuple(_and(one.item(index), other.item(index)) for index in range(count)),
        items=_and_maybe(one.items, other.items),
        item_counts=_common_counts(one.item_counts, other.item_counts),
        properties={name: _and(one.property(name), other.property(name)) for name in names},
        additional=_and_maybe(one.additional, other.additional),
        required=tuple(dict.fromkeys((*one.required, *other.required))),
        property_counts=_common_counts(one.property_counts, other.property_counts),
        key_patterns={**one.key_patterns, **other.key_patterns},
        keys=_and(one.keys, other.keys),
    )


def _names_keys(part: Constraints) -> bool:
    """Whether it says which properties an object has, or may not have."""
    return bool(part.properties or part.key_patterns or part.additional is not None)


def with_types(constraints: Constraints, types: frozenset[str]) -> Constraints:
    return replace(constraints, types=_common_types(constraints.types, types))


def _types(node: Node) -> frozenset[str] | None:
    given = node.schema.get("type")
    if given is None:
        return None
    names = given if isinstance(given, list) else [given]
    for name in names:
        if name not in TYPES:
            raise refusal(f"{str(name)[:30]!r} is not a type", node.path)
    return frozenset(names)


def _common_types(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    whole = {"integer"} if {"number", "integer"} & one and {"number", "integer"} & other else set()
    if "number" in one and "number" in other:
        whole = {"number"}
    return frozenset((one & other) | whole)


def _values(node: Node) -> tuple[Any, ...] | None:
    schema = node.schema
    found = None
    if "enum" in schema:
        found = tuple(_list(node, "enum"))
    if "const" in schema:
        found = _common_values(found, (schema["const"],))
    return found


def _common_values(one: tuple[Any, ...] | None, other: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    if one is None or other is None:
        return other if one is None else one
    return tuple(value for value in one if any(_same(value, each) for each in other))


def _same(one: Any, other: Any) -> bool:
    """In JSON 1 is not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _bound(node: Node, name: str, exclusive: str, stricter: Callable[..., Decimal]) -> Bound | None:
    given, outer = node.schema.get(name), node.schema.get(exclusive)
    found = _bound_of(node, name, given, outer is True)
    if outer is None or isinstance(outer, bool):  # a flag, in old drafts
        return found
    return _tighter(found, _bound_of(node, exclusive, outer, True), stricter)


def _bound_of(node: Node, name: str, value: Any, is_exclusive: bool) -> Bound | None:
    if value is None:
        return None
    if not _is_number(value):
        raise refusal(f"{name} must be a number, and not a huge one", node.path)
    return Bound(Decimal(value if isinstance(value, int) else repr(value)), is_exclusive)


def _is_number(value: Any) -> bool:
    """Of a size that floats have, too: whole numbers of thousands of digits make grammars as long."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _tighter(one: Bound | None, other: Bound | None, stricter: Callable[..., Decimal]) -> Bound | None:
    if one is None or other is None:
        return other if one is None else one
    if one.value == other.value:
        return one if one.is_exclusive else other
    return one if stricter(one.value, other.value) == one.value else other


def _multiple(node: Node) -> int | None:
    value = node.schema.get("multipleOf")
    if value is None:
        return None
    if not _is_number(value) or value <= 0:
        raise refusal("multipleOf must be a number above 0, and not a huge one", node.path)
    if value != int(value):
        raise refusal(f"multipleOf {value:g} cannot be enforced, only whole numbers can", node.path)
    return int(value)


def _counts(node: Node, least: str, most: str) -> tuple[int, int | None]:
    low, high = _count(node, least) or 0, _count(node, most)
    if high is not None and high < low:
        raise refusal(f"{least} {low:,} is more than {most} {high:,}", node.path)
    if low > _MOST_LEAST:
        raise refusal(f"{least} {low:,} is more than a reply can hold", node.path)
    return low, high


def _count(node: Node, name: str) -> int | None:
    value = node.schema.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1 or value < 0:
        raise refusal(f"{name} must be a whole number", node.path)
    return int(min(value, _MOST_LENGTH))


def _common_counts(one: tuple[int, int | None], other: tuple[int, int | None]) -> tuple[int, int | None]:
    highs = [high for high in (one[1], other[1]) if high is not None]
    return max(one[0], other[0]), min(highs, default=None)


def _text(node: Node, name: str) -> str:
    value = node.schema[name]
    if not isinstance(value, str):
        raise refusal(f"{name} must be a string", node.path)
    return value


def _list(node: Node, name: str) -> list[Any]:
    value = node.schema[name]
    if not isinstance(value, list):
        raise refusal(f"{name} must be an array", node.path)
    return value


def _required(node: Node) -> tuple[str, ...]:
    given = node.schema.get("required")
    if given is None or isinstance(given, bool):  # a flag of the property, in draft 3
        return ()
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise refusal("required must be an array of strings", node.path)
    return tuple(given)


def _schemas(node: Node, name: str) -> Mapping[str, Together]:
    given = node.schema.get(name, {})
    if not isinstance(given, Mapping):
        raise refusal(f"{name} must be an object", node.path)
    return {key: (node.inner(value, name, key),) for key, value in given.items()}


def _inner(node: Node, name: str) -> Together | None:
    if name not in node.schema:
        return None
    return (node.inner(node.schema[name], name),)


def _and(one: Together, other: Together) -> Together:
    return tuple({node.key: node for node in (*one, *other)}.values())


def _and_maybe(one: Together | None, other: Together | None) -> Together | None:
    return None if one is None and other is None else _and(one or (), other or ())
