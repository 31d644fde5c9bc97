"""Regular expressions as deterministic automata: one state at a time, so that a grammar is never of two minds.

llama.cpp follows all ways in which a text may fit; those of a nested repetition multiply, those of an automaton do not.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from sparkdesk.engine.json_schema.characters import CharacterSet, Range, joined
from sparkdesk.engine.json_schema.regex import Anchor, Character, Choice, Node, Repeat, Sequence

_MOST_PARTS, _MOST_STATES, _MOST_STEPS = 6_000, 1_200, 300_000

State = TypeVar("State", bound=Hashable)


class TooLarge(Exception):
    """The automaton would have too many states."""


@dataclass(slots=True)
class Steps:
    """How much may still be done for all automata of a schema."""

    left: int = _MOST_STEPS

    def spend(self, steps: int) -> None:
        """Raises TooLarge."""
        self.left -= steps
        if self.left < 0:
            raise TooLarge


@dataclass(frozen=True, slots=True)
class Automaton:
    """State 0 is the first; every state leads to an accepting one, but perhaps the first."""

    moves: tuple[Mapping[int, CharacterSet], ...]
    """By state: what leads where."""
    accepting: frozenset[int]

    @property
    def is_empty(self) -> bool:
        return not self.accepting


def automaton_of(node: Node, steps: Steps) -> Automaton:
    """Raises TooLarge."""
    parts = _Parts()
    end = parts.add(node, parts.new(), limit=_MOST_PARTS)
    steps.spend(len(parts.moves))
    return _determined(parts, end, *_classes(parts.sets()), steps)


def with_lengths(one: Automaton, least: int, most: int | None, steps: Steps) -> Automaton:
    """Its texts of these lengths. Raises TooLarge."""
    last = least if most is None else most

    def following(state: tuple[int, int]) -> Iterable[tuple[tuple[int, int], CharacterSet]]:
        at, count = state
        steps.spend(1 + len(one.moves[at]))
        if most is not None and count == last:
            return ()
        return (((to, min(count + 1, last)), those) for to, those in one.moves[at].items())

    return _explored((0, 0), following, lambda state: state[0] in one.accepting and state[1] >= least)


def of_both(one: Automaton, other: Automaton, steps: Steps) -> Automaton:
    """What fits both. Raises TooLarge."""

    def following(state: tuple[int, int]) -> Iterable[tuple[tuple[int, int], CharacterSet]]:
        steps.spend(1 + len(one.moves[state[0]]) * len(other.moves[state[1]]))
        for to, those in one.moves[state[0]].items():
            for also_to, these in other.moves[state[1]].items():
                shared = _shared(those, these)
                if shared:
                    yield (to, also_to), shared

    return _explored((0, 0), following, lambda state: state[0] in one.accepting and state[1] in other.accepting)


@dataclass
class _Parts:
    """A nondeterministic automaton in the making: moves by a set of characters, and free ones."""

    moves: list[list[tuple[CharacterSet, int]]] = field(default_factory=list)
    free: list[list[int]] = field(default_factory=list)

    def new(self) -> int:
        self.moves.append([])
        self.free.append([])
        return len(self.moves) - 1

    def sets(self) -> set[CharacterSet]:
        return {those for moves in self.moves for those, _ in moves}

    def add(self, node: Node, begin: int, *, limit: int) -> int:
        """Where it ends that begins there."""
        if len(self.moves) > limit:
            raise TooLarge
        match node:
            case Character(those):
                end = self.new()
                self.moves[begin].append((those, end))
                return end
            case Sequence(parts):
                for part in parts:
                    begin = self.add(part, begin, limit=limit)
                return begin
            case Choice(options):
                ends = [self.add(option, self._freely(begin), limit=limit) for option in options]
                end = self.new()
                for each in ends:
                    self.free[each].append(end)
                return end
            case Repeat(part, least, most):
                return self._repeated(part, least, most, begin, limit)
            case Anchor():
                raise AssertionError("anchors are taken off before")

    def _freely(self, begin: int) -> int:
        inner = self.new()
        self.free[begin].append(inner)
        return inner

    def _repeated(self, part: Node, least: int, most: int | None, begin: int, limit: int) -> int:
        for _ in range(least):
            begin = self.add(part, begin, limit=limit)
        end = self.new()
        if most is None:
            inner = self._freely(begin)
            self.free[self.add(part, inner, limit=limit)].append(inner)
            self.free[inner].append(end)
            return end
        self.free[begin].append(end)
        for _ in range(most - least):
            begin = self.add(part, self._freely(begin), limit=limit)
            self.free[begin].append(end)
        return end

    def closed(self, states: Iterable[int]) -> frozenset[int]:
        """With all that is reached freely."""
        found, todo = set(states), list(states)
        while todo:
            for each in self.free[todo.pop()]:
                if each not in found:
                    found.add(each)
                    todo.append(each)
        return frozenset(found)


def _determined(
    parts: _Parts,
    end: int,
    classes: Mapping[CharacterSet, tuple[int, ...]],
    members: list[CharacterSet],
    steps: Steps,
) -> Automaton:
    def following(state: frozenset[int]) -> Iterable[tuple[frozenset[int], CharacterSet]]:
        by_class: dict[int, set[int]] = {}
        for part in state:
            for those, to in parts.moves[part]:
                for each in classes[those]:
                    by_class.setdefault(each, set()).add(to)
        steps.spend(len(state) + sum(map(len, by_class.values())))
        return ((parts.closed(to), members[each]) for each, to in by_class.items())

    return _explored(parts.closed([0]), following, lambda state: end in state)


def _explored(
    first: State,
    following: Callable[[State], Iterable[tuple[State, CharacterSet]]],
    is_accepting: Callable[[State], bool],
) -> Automaton:
    """Everything that is reached from the first state, without what leads nowhere."""
    numbers = {first: 0}
    todo = [first]
    moves: list[dict[int, CharacterSet]] = []
    while len(moves) < len(todo):
        state, found = todo[len(moves)], dict[int, list[Range]]()
        for to, those in following(state):
            if to not in numbers:
                numbers[to] = len(numbers)
                todo.append(to)
                if len(todo) > _MOST_STATES:
                    raise TooLarge
            found.setdefault(numbers[to], []).extend(those)
        moves.append({to: joined(ranges) for to, ranges in found.items()})
    return _trimmed(moves, {numbers[state] for state in todo if is_accepting(state)})


def _trimmed(moves: list[dict[int, CharacterSet]], accepting: set[int]) -> Automaton:
    """Without the states from which no text comes to its end; the first one stays the first."""
    leading: list[set[int]] = [set() for _ in moves]
    for state, found in enumerate(moves):
        for to in found:
            leading[to].add(state)
    useful, todo = set(accepting), list(accepting)
    while todo:
        for state in leading[todo.pop()] - useful:
            useful.add(state)
            todo.append(state)
    numbers = {state: number for number, state in enumerate(sorted(useful | {0}))}
    kept = tuple({numbers[to]: those for to, those in moves[state].items() if to in useful} for state in numbers)
    return Automaton(kept, frozenset(numbers[state] for state in accepting))


def _classes(sets: set[CharacterSet]) -> tuple[dict[CharacterSet, tuple[int, ...]], list[CharacterSet]]:
    """Every set as numbers of classes, and the characters of each class: those that no set tells apart are in one."""
    ordered = list(sets)
    bounds = ((at, index) for index, those in enumerate(ordered) for first, last in those for at in (first, last + 1))
    events = sorted(bounds)
    numbers: dict[frozenset[int], int] = {}
    members: list[list[Range]] = []
    inside: set[int] = set()
    for (at, index), (until, _) in zip(events, [*events[1:], (0, 0)], strict=True):
        inside ^= {index}
        if until > at and inside:
            number = numbers.setdefault(frozenset(inside), len(numbers))
            if number == len(members):
                members.append([])
            members[number].append((at, until - 1))
    found: dict[CharacterSet, list[int]] = {those: [] for those in ordered}
    for holders, number in numbers.items():
        for each in holders:
            found[ordered[each]].append(number)
    return {those: tuple(each) for those, each in found.items()}, [joined(ranges) for ranges in members]


def _shared(one: CharacterSet, other: CharacterSet) -> CharacterSet:
    found, i, j = [], 0, 0
    while i < len(one) and j < len(other):
        first, last = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if first <= last:
            found.append((first, last))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)
