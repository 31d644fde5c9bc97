"""Objects: declared properties in their order, then others where the schema asks for them."""

import json
from collections.abc import Callable, Iterable

from sparkdesk.engine.json_schema import strings
from sparkdesk.engine.json_schema.alternatives import alternatives
from sparkdesk.engine.json_schema.constraints import Constraints, Together
from sparkdesk.engine.json_schema.expressions import code_point, literal, one_of
from sparkdesk.engine.json_schema.refusal import refusal, shown
from sparkdesk.engine.json_schema.rules import Rules

Compile = Callable[[Together], str]
"""The symbol of what fits these schemas."""
_A_STRING = {"type": "string"}
SPACE = '" "? | "\\n" [ \\t]{0,40}'


def object_rule(rules: Rules, limits: Constraints, compiled: Compile) -> str:
    """Raises GrammarError where no object could fit."""
    space = rules.add("space", SPACE)
    names = [name for name in limits.properties if _is_possible(limits.properties[name])]
    names += [name for name in limits.required if name not in limits.properties]
    for name in limits.required:
        if not _is_possible(limits.property(name)):
            raise refusal(f"the property {shown(name)!r} is required and forbidden", limits.path)
    _check_keys(limits, names)
    least, most = _counts_of_others(limits, names)
    others = _other_members(rules, limits, names, compiled, space) if most is None or most > 0 else ""
    others = f"({_listed(rules, others, least, most, space)})" if others else ""
    members = [(_member(rules, name, limits, compiled, space), name in limits.required) for name in names]
    body = _body(rules, members, others, space, may_lack_others=least == 0)
    return rules.add("object", f'"{{" {space} {body} "}}"')


def _body(rules: Rules, members: list[tuple[str, bool]], others: str, space: str, *, may_lack_others: bool) -> str:
    """From the last to the first: what may follow when something has been written before, and when nothing has."""
    behind = (
        rules.add("end", f'"," {space} {others} {space}' + (f" | {space}" if may_lack_others else ""))
        if others
        else space
    )
    first = rules.add("start", f"{others} {space}" + (' | ""' if may_lack_others else "")) if others else '""'
    for member, is_required in reversed(members):
        ahead = f"{member} {behind}"
        first = rules.add("members", ahead if is_required else f"{ahead} | {first}")
        continued = f'"," {space} {ahead}'
        behind = rules.add("members", continued if is_required else f"{continued} | {behind}")
    return first


def _member(rules: Rules, name: str, limits: Constraints, compiled: Compile, space: str) -> str:
    key = literal(json.dumps(name, ensure_ascii=False))
    return rules.add("member", f'{key} ":" {space} {compiled(limits.property(name))}')


def _other_members(rules: Rules, limits: Constraints, names: list[str], compiled: Compile, space: str) -> str:
    """One property that is not declared, or "" where there are to be none."""
    if limits.key_patterns:
        ((pattern, value),) = limits.key_patterns.items()
        key = strings.quoted(rules, strings.patterned(rules, [pattern], 0, None, limits.path))
        return rules.add("other", f'{key} ":" {space} {compiled(value)}')
    if limits.additional is None and (limits.properties or limits.required):
        return ""
    if not _is_possible(limits.additional or ()):
        return ""
    declared = set(names) | set(limits.properties)
    if limits.keys:
        key = compiled((*limits.keys, limits.keys[0].inner(_A_STRING)))
    else:
        key = strings.quoted(rules, _other_name(rules, sorted(declared)))
    return rules.add("other", f'{key} ":" {space} {compiled(limits.additional or ())}')


def _check_keys(limits: Constraints, names: list[str]) -> None:
    """Names bound by a schema of their own can be enforced where nothing else bounds them."""
    if limits.key_patterns and (limits.properties or limits.required or len(limits.key_patterns) > 1 or limits.keys):
        raise refusal("patternProperties can be enforced alone, with one pattern", limits.path)
    if not limits.keys:
        return
    if names or limits.properties:
        raise refusal("propertyNames beside properties cannot be enforced", limits.path)


def _counts_of_others(limits: Constraints, names: list[str]) -> tuple[int, int | None]:
    """How many undeclared properties there may be, so that all are together within minProperties and maxProperties.

    The same name may be written twice and counts once, so that no more than one can be asked for.
    """
    least, most = limits.property_counts
    required = len(set(limits.required))
    if most is not None and most < len(names):
        raise refusal("maxProperties below the number of properties cannot be enforced", limits.path)
    missing = max(0, least - required)
    is_full = most is not None and most == len(names)
    if missing > 1 or (missing and len(names) > required and (is_full or not _has_others(limits))):
        raise refusal("minProperties above the number of required properties cannot be enforced", limits.path)
    if missing and (is_full or not _has_others(limits)):
        raise refusal("minProperties is more than there are properties", limits.path)
    return missing, None if most is None else most - len(names)


def _has_others(limits: Constraints) -> bool:
    if limits.key_patterns:
        return True
    if limits.additional is None:
        return not limits.properties and not limits.required
    return _is_possible(limits.additional)


def _listed(rules: Rules, member: str, least: int, most: int | None, space: str) -> str:
    """At least one."""
    more = rules.add("more", f'"," {space} {member}')
    return f"{member} {rules.repeated(more, max(0, least - 1), None if most is None else most - 1)}"


def _is_possible(together: Together) -> bool:
    """Whether some value may fit, as far as can be told without compiling it."""
    return not together or bool(alternatives(together))


def _other_name(rules: Rules, names: list[str]) -> str:
    """The inside of every key but these; written without backslashes, so that none of them comes in disguise."""
    plain = strings.plain_character()
    if not names:
        return rules.repeated(rules.add("plain", plain), 0, None)
    return _unlike(rules, [name for name in names if all(map(_is_plain, name))], plain)


def _unlike(rules: Rules, names: Iterable[str], plain: str) -> str:
    """What is none of the names, all of which begin where this stands."""
    by_letter: dict[str, list[str]] = {}
    is_one = False
    for name in names:
        if name:
            by_letter.setdefault(name[0], []).append(name[1:])
        else:
            is_one = True
    letters = "".join(code_point(ord(letter)) for letter in by_letter)
    others = f"{plain[:-1]}{letters}] {rules.repeated(rules.add('plain', plain), 0, None)}"
    found = [others, *(f"{literal(letter)} {_unlike(rules, rest, plain)}" for letter, rest in by_letter.items())]
    if not is_one:
        found.append('""')
    return rules.add("key", one_of(found))


def _is_plain(letter: str) -> bool:
    return letter >= " " and letter not in '"\\\x7f'
