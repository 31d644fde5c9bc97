"""Texts of a schema: lengths, patterns and formats, as expressions for what stands between the quotes."""

from dataclasses import replace

from sparkdesk.engine.json_schema import characters
from sparkdesk.engine.json_schema.automaton import Automaton, Steps, TooLarge, automaton_of, of_both, with_lengths
from sparkdesk.engine.json_schema.expressions import one_of
from sparkdesk.engine.json_schema.refusal import refusal
from sparkdesk.engine.json_schema.regex import Anchor, Character, Choice, Node, Repeat, Sequence, parse
from sparkdesk.engine.json_schema.rules import Rules

_HEX = "[0-9a-fA-F]"
_PLAIN = r"[^\x22\\\x7F\x00-\x1F]"
_CODE = f"([0-9a-cA-CeEfF] {_HEX} | [dD] [0-7]) {_HEX}{{2}}"
_CHARACTER = rf'{_PLAIN} | "\\" ([\x22\\/bfnrt] | "u" {_CODE})'
"""One character: half of one, which JSON could escape, is none."""
_ANYTHING = Repeat(Character(characters.EVERY), 0, None)


def quoted(rules: Rules, inside: str) -> str:
    return rules.add("text", rf'"\"" {inside} "\""')


def any_text(rules: Rules, least: int, most: int | None) -> str:
    """What stands between the quotes of a text that is bounded in its length only."""
    return rules.repeated(rules.add("char", _CHARACTER), least, most)


def plain_character() -> str:
    """One that needs no backslash; with none, a key can be written in one way only."""
    return _PLAIN


def patterned(rules: Rules, patterns: list[str], least: int, most: int | None, path: str) -> str:
    """What matches all of these regular expressions, somewhere as JSON Schema has it, within these lengths."""
    options = [_options(pattern, path) for pattern in patterns]
    simple = _within(options[0][0], least, most) if len(options) == len(options[0]) == 1 else None
    if simple is not None and _is_simple(simple):
        return _expression(rules, simple)
    try:
        found = _automaton(options, least, most, rules.steps)
    except TooLarge:
        raise refusal("its pattern has too many ways to match, or too long ones, to be enforced", path) from None
    if found.is_empty:
        raise refusal("nothing that matches its pattern is of the length it asks for", path)
    return _states(rules, found)


def _options(pattern: str, path: str) -> list[Sequence]:
    found = parse(pattern, path)
    return [_searched(each, pattern, path) for each in (found.options if isinstance(found, Choice) else (found,))]


def _automaton(patterns: list[list[Sequence]], least: int, most: int | None, steps: Steps) -> Automaton:
    """Raises TooLarge."""
    fitted = [[_within(option, least, most) or option for option in options] for options in patterns]
    found, *others = (automaton_of(Choice(tuple(options)), steps) for options in fitted)
    for other in others:
        found = of_both(found, other, steps)
    lengths = [_lengths(option) for options in fitted for option in options]
    if len(patterns) == 1 and all(low >= least and _is_at_most(high, most) for low, high in lengths):
        return found
    return with_lengths(found, least, most, steps)


def _is_at_most(high: int | None, most: int | None) -> bool:
    return most is None or (high is not None and high <= most)


def _states(rules: Rules, found: Automaton) -> str:
    names = [rules.reserve("state") for _ in found.moves]
    for state, moves in enumerate(found.moves):
        ways = [f"{_character(rules, those)} {names[to]}" for to, those in moves.items()]
        rules.define(names[state], " | ".join([*ways, *(['""'] if state in found.accepting else [])]) or '""')
    return names[0]


def _searched(option: Node, pattern: str, path: str) -> Sequence:
    """With anything before and after it where it is not anchored."""
    parts = list(option.parts) if isinstance(option, Sequence) else [option]
    is_begun = is_ended = False
    while parts and parts[0] == Anchor("^"):
        is_begun, parts = True, parts[1:]
    while parts and parts[-1] == Anchor("$"):
        is_ended, parts = True, parts[:-1]
    if any(map(_has_anchor, parts)):
        raise refusal(f"the pattern {pattern[:40]!r} has ^ or $ within it, which cannot be enforced", path)
    return Sequence((*([] if is_begun else [_ANYTHING]), *parts, *([] if is_ended else [_ANYTHING])))


def _has_anchor(node: Node) -> bool:
    match node:
        case Anchor():
            return True
        case Sequence(parts) | Choice(parts):
            return any(map(_has_anchor, parts))
        case Repeat(part):
            return _has_anchor(part)
        case _:
            return False


def _within(option: Sequence, least: int, most: int | None) -> Sequence | None:
    """The part of it whose texts are so long, where its one repetition of a character can be bent; else None."""
    shortest, longest = _lengths(option)
    if shortest >= least and _is_at_most(longest, most):
        return option
    bending = _bending(option)
    if len(bending) != 1:
        return None
    part = option.parts[bending[0]]
    if not isinstance(part, Repeat) or _lengths(part.part) != (1, 1):
        return None
    fixed = sum(_lengths(each)[0] for index, each in enumerate(option.parts) if index != bending[0])
    low = max(part.least, least - fixed)
    high = part.most if most is None else most - fixed if part.most is None else min(part.most, most - fixed)
    if high is not None and high < low:
        return None
    bent = replace(part, least=low, most=high)
    return Sequence(tuple(bent if index == bending[0] else each for index, each in enumerate(option.parts)))


def _bending(option: Sequence) -> list[int]:
    """The parts whose texts are of different lengths."""
    return [index for index, part in enumerate(option.parts) if len(set(_lengths(part))) > 1]


def _is_simple(option: Sequence) -> bool:
    """Characters in a row, one of them at most in any number: it leaves no choice, however long it is."""
    characters = (part.part if isinstance(part, Repeat) else part for part in option.parts)
    return len(_bending(option)) <= 1 and all(isinstance(part, Character) for part in characters)


def _lengths(node: Node) -> tuple[int, int | None]:
    """Of the shortest and of the longest text."""
    match node:
        case Character():
            return 1, 1
        case Sequence(parts):
            lengths = [_lengths(part) for part in parts]
            return sum(low for low, _ in lengths), _total([high for _, high in lengths])
        case Choice(options):
            lengths = [_lengths(option) for option in options]
            highs = [high for _, high in lengths if high is not None]
            return min(low for low, _ in lengths), max(highs) if len(highs) == len(lengths) else None
        case Repeat(part, least, most):
            low, high = _lengths(part)
            return low * least, high * most if high is not None and most is not None else 0 if high == 0 else None
        case Anchor():
            return 0, 0


def _total(highs: list[int | None]) -> int | None:
    known = [high for high in highs if high is not None]
    return sum(known) if len(known) == len(highs) else None


def _expression(rules: Rules, node: Node) -> str:
    match node:
        case Character(those):
            return _character(rules, those)
        case Sequence(parts):
            return " ".join(filter(None, (_expression(rules, part) for part in parts))) or '""'
        case Choice(options):
            return one_of([_expression(rules, option) for option in options])
        case Repeat(part, least, most):
            return f"({rules.repeated(_symbol(rules, part), least, most)})"
        case Anchor():
            raise AssertionError("anchors are taken off before")


def _symbol(rules: Rules, node: Node) -> str:
    if isinstance(node, Character):
        return _character(rules, node.those)
    return rules.add("group", _expression(rules, node))


def _character(rules: Rules, those: characters.CharacterSet) -> str:
    spoken = characters.as_json_text(those)
    return spoken if len(spoken) < 20 else rules.add("letter", spoken)
