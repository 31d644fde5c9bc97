"""References, allOf, anyOf and oneOf worked out: a schema as the alternatives of what it says."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from weakref import WeakKeyDictionary

from sparkdesk.engine.json_schema.constraints import NOTHING_SAID, Constraints, Together, both, read, with_types
from sparkdesk.engine.json_schema.references import Node, Work
from sparkdesk.engine.json_schema.refusal import refusal, shown

_MOST = 256
_MEMBERS_A_STEP = 50
"""Putting together large objects again and again is work too."""
_DEEPEST_COMPARISON = 3
_UNENFORCEABLE = frozenset(
    "not if dependentRequired dependentSchemas dependencies contains minContains maxContains unevaluatedItems "
    "unevaluatedProperties $dynamicRef $recursiveRef extends disallow divisibleBy".split()
)


_KNOWN: "WeakKeyDictionary[Work, dict[tuple[int, int], list[Constraints]]]" = WeakKeyDictionary()
"""Of a schema that is being worked on: its parts are asked about more than once."""


def alternatives(together: Together) -> list[Constraints]:
    """Each allows something of its own or nothing; a value fits the schemas where it fits one of them."""
    found = [NOTHING_SAID]
    for node in together:
        known = _KNOWN.setdefault(node.work, {})
        if node.key not in known:
            known[node.key] = _of_node(node, frozenset())
        found = _product(found, known[node.key], node)
    return [each for each in found if each.types is None or each.types]


def _of_node(node: Node, seen: frozenset[tuple[int, int]]) -> list[Constraints]:
    schema = node.schema
    node.work.spend(1, node.path)
    if schema is True:
        return [NOTHING_SAID]
    if schema is False:
        return []
    if not isinstance(schema, Mapping):
        raise refusal(f"{shown(str(schema))} stands where a schema should be", node.path)
    if node.key in seen:
        raise refusal("it refers to itself without end", node.path)
    seen = seen | {node.key}
    _check_keywords(node)
    found = [read(node)]
    if "$ref" in schema:
        found = _product(found, _of_node(node.resolved(), seen), node)
    for each in _parts(node, "allOf"):
        found = _product(found, _of_node(each, seen), node)
    for name in ("anyOf", "oneOf"):
        if name in schema:
            options = [_of_node(each, seen) for each in _parts(node, name)]
            if name == "oneOf":
                _check_apart(node, options)
            found = _product(found, [each for option in options for each in option], node)
    return found


def _check_keywords(node: Node) -> None:
    schema = node.schema
    for name in schema:
        if name in _UNENFORCEABLE:
            raise refusal(f"{name} cannot be enforced", node.path)
    if schema.get("uniqueItems") is True and schema.get("maxItems", 2) not in (0, 1):
        raise refusal("uniqueItems cannot be enforced", node.path)


def _parts(node: Node, name: str) -> list[Node]:
    given = node.schema.get(name, [])
    if not isinstance(given, list) or (name in node.schema and not given):
        raise refusal(f"{name} must be an array of schemas", node.path)
    return [node.inner(each, name, index) for index, each in enumerate(given)]


def _product(ones: list[Constraints], others: list[Constraints], node: Node) -> list[Constraints]:
    if len(ones) * len(others) > _MOST:
        raise refusal(f"it has more than {_MOST} alternatives in one place", node.path)
    members = sum(each.size() for each in ones) * len(others) + sum(each.size() for each in others) * len(ones)
    node.work.spend(members // _MEMBERS_A_STEP, node.path)
    return [both(one, other) for one in ones for other in others]


def _check_apart(node: Node, options: list[list[Constraints]]) -> None:
    """oneOf forbids what fits two of its schemas."""
    for index, option in enumerate(options):
        for other in options[:index]:
            node.work.spend(len(option) * len(other), node.path)
            if not all(_are_apart(one, two, 0) for one in option for two in other):
                raise refusal("oneOf has schemas that the same value may fit; use anyOf if that is meant", node.path)


def _are_apart(one: Constraints, other: Constraints, depth: int) -> bool:
    """Whether nothing fits both, as far as can be told."""
    types = with_types(one, other.types).types if other.types is not None else one.types
    if types is not None and not types:
        return True
    if one.values is not None and other.values is not None:
        return not both(one, other).values
    for values, limits in ((one.values, other), (other.values, one)):
        if values is not None:
            return not any(fits(value, limits) for value in values)
    if types is not None and types <= {"number", "integer"}:
        return _are_bounds_apart(one, other) or _are_bounds_apart(other, one)
    if types == frozenset({"object"}):
        return _are_objects_apart(one, other, depth)
    return False


def _are_bounds_apart(one: Constraints, other: Constraints) -> bool:
    high, low = one.high, other.low
    if high is None or low is None:
        return False
    return high.value < low.value or (high.value == low.value and (high.is_exclusive or low.is_exclusive))


def _are_objects_apart(one: Constraints, other: Constraints, depth: int) -> bool:
    """A property that one must have is forbidden in the other, or each has another value of it.

    What the grammar says has no undeclared property unless the schema asks for them.
    """
    if _lacks(one, other) and _lacks(other, one):
        return True
    if depth >= _DEEPEST_COMPARISON:
        return False
    return any(
        all(
            _are_apart(mine, theirs, depth + 1)
            for mine in alternatives(one.property(name))
            for theirs in alternatives(other.property(name))
        )
        for name in set(one.required) & set(other.required)
    )


def _lacks(one: Constraints, other: Constraints) -> bool:
    """Whether no object of `one` has all that `other` requires."""
    is_closed = not one.key_patterns and (one.additional is None or not alternatives(one.additional))
    return is_closed and bool(one.properties) and any(name not in one.properties for name in other.required)


def fits(value: Any, limits: Constraints) -> bool:
    """Whether a value of an enum keeps to the rest of what is said. Raises GrammarError where that cannot be told."""
    kind = _type_of(value)
    if limits.types is not None and kind not in limits.types and not (kind == "integer" and "number" in limits.types):
        return False
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _is_within(Decimal(repr(value)), limits) and (not limits.is_whole or value % limits.multiple == 0)
    if isinstance(value, str):
        if limits.patterns or limits.formats:
            raise refusal("pattern or format beside enum or const cannot be enforced", limits.path)
        return limits.lengths[0] <= len(value) and (limits.lengths[1] is None or len(value) <= limits.lengths[1])
    if kind in limits.speaks_of():
        raise refusal(f"enum or const with an {kind} beside other keywords cannot be enforced", limits.path)
    return True


def _is_within(value: Decimal, limits: Constraints) -> bool:
    low, high = limits.low, limits.high
    if low is not None and (value < low.value or (low.is_exclusive and value == low.value)):
        return False
    return high is None or not (value > high.value or (high.is_exclusive and value == high.value))


def _type_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
