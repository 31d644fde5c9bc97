"""Arrays: a tuple's items one by one, then items of one kind, as many as the schema allows."""

from sparkdesk.engine.json_schema.alternatives import alternatives
from sparkdesk.engine.json_schema.constraints import Constraints
from sparkdesk.engine.json_schema.objects import SPACE, Compile
from sparkdesk.engine.json_schema.refusal import refusal
from sparkdesk.engine.json_schema.rules import Rules


def array_rule(rules: Rules, limits: Constraints, compiled: Compile) -> str:
    """Raises GrammarError where no array could fit."""
    space = rules.add("space", SPACE)
    least, most = limits.item_counts
    # A tuple is written whole where it may be: the schema would let it end early, and models would do so.
    count = len(limits.prefix) if most is None else min(len(limits.prefix), most)
    possible = next((index for index in range(count) if not alternatives(limits.prefix[index])), count)
    if possible < count:
        count, most = possible, possible
    has_more = limits.items is not None or not limits.prefix or least > count
    if limits.items is not None and not alternatives(limits.items):
        has_more = False
    rest_least, rest_most = max(0, least - count), None if most is None else most - count
    if not has_more or rest_most == 0:
        rest_most = 0
    if rest_most is not None and rest_least > rest_most:
        raise refusal("minItems is more than its items can be", limits.path)
    parts = [compiled(limits.prefix[index]) for index in range(count)]
    head = f' "," {space} '.join(parts)
    tail = "" if rest_most == 0 else _tail(rules, limits, rest_least, rest_most, compiled, is_first=not parts)
    inside = " ".join(filter(None, (head, tail, space)))
    return rules.add("array", f'"[" {space} {inside} "]"')


def _tail(rules: Rules, limits: Constraints, least: int, most: int | None, compiled: Compile, *, is_first: bool) -> str:
    space = rules.add("space", SPACE)
    item = compiled(limits.items or ())
    more = rules.add("more", f'"," {space} {item}')
    if not is_first:
        return f"({rules.repeated(more, least, most)})"
    listed = f"{item} {rules.repeated(more, max(0, least - 1), None if most is None else most - 1)}"
    return f"({listed})" if least else f"({listed})?"
