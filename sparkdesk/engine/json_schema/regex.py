"""Reads regular expressions as JSON Schema has them (ECMA 262), as far as a grammar can say them."""

from dataclasses import dataclass

from sparkdesk.engine.json_schema import characters
from sparkdesk.engine.json_schema.characters import CharacterSet, Range
from sparkdesk.engine.json_schema.refusal import refusal, shown

_MOST_NESTED = 50
_MOST_REPEATS = 10_000
_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "0": 0}


@dataclass(frozen=True, slots=True)
class Character:
    """One of these characters."""

    those: CharacterSet


@dataclass(frozen=True, slots=True)
class Sequence:
    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Choice:
    options: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Repeat:
    part: "Node"
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Anchor:
    """^ or $."""

    sign: str


Node = Character | Sequence | Choice | Repeat | Anchor


def parse(pattern: str, path: str) -> Node:
    """Raises GrammarError."""
    reader = _Reader(pattern, path)
    found = reader.choice(0)
    if not reader.is_over:
        raise reader.refused("has a ) without a (")
    return found


class _Reader:
    def __init__(self, pattern: str, path: str) -> None:
        self._text, self._path, self._at = pattern, path, 0

    @property
    def is_over(self) -> bool:
        return self._at >= len(self._text)

    def refused(self, why: str) -> Exception:
        return refusal(f"the pattern {shown(self._text)!r} {why}", self._path)

    def choice(self, depth: int) -> Node:
        if depth > _MOST_NESTED:
            raise self.refused("is nested too deeply")
        options = [self._sequence(depth)]
        while self._take("|"):
            options.append(self._sequence(depth))
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _sequence(self, depth: int) -> Node:
        parts: list[Node] = []
        while not self.is_over and self._peek() not in "|)":
            parts.append(self._quantified(self._atom(depth)))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _atom(self, depth: int) -> Node:
        letter = self._next()
        if letter in "^$":
            return Anchor(letter)
        if letter == "(":
            return self._group(depth)
        if letter == "[":
            return Character(self._class())
        if letter == ".":
            return Character(characters.ANY_BUT_LINE_ENDS)
        if letter == "\\":
            return Character(self._escape())
        if letter in "*+?" or (letter == "{" and self._bounds(self._at) is not None):
            raise self.refused(f"repeats nothing with {letter}")
        return Character(_single(letter))

    def _group(self, depth: int) -> Node:
        if self._take("?"):
            if self._take("<") and self._peek() not in "=!":
                end = self._text.find(">", self._at)
                if end < 0:
                    raise self.refused("has a group whose name does not end")
                self._at = end + 1
            elif not self._take(":"):
                raise self.refused("looks ahead or behind, which cannot be enforced")
        found = self.choice(depth + 1)
        if not self._take(")"):
            raise self.refused("has a ( without a )")
        return found

    def _quantified(self, part: Node) -> Node:
        times = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(self._peek())
        if times is not None:
            self._at += 1
        elif self._peek() == "{":
            bounds = self._bounds(self._at + 1)
            if bounds is None:
                return part
            least, most, self._at = bounds
            if max(least, most or 0) > _MOST_REPEATS or (most is not None and most < least):
                raise self.refused(f"repeats from {least:,} to {most or least:,} times")
            times = (least, most)
        if times is None:
            return part
        if isinstance(part, Anchor):
            raise self.refused("repeats its beginning or end")
        self._take("?")  # lazy: the same texts
        if self._peek() in ("*", "+", "?"):
            raise self.refused("repeats a repetition")
        return Repeat(part, *times)

    def _bounds(self, at: int) -> tuple[int, int | None, int] | None:
        """Of {2}, {2,} and {2,3}, behind the brace; with where they end. None where the brace is a letter."""
        inside, brace, _ = self._text[at : at + 25].partition("}")
        least, comma, most = inside.partition(",")
        if (
            not brace
            or not least.isascii()
            or not least.isdigit()
            or (most and not (most.isascii() and most.isdigit()))
        ):
            return None
        return int(least), int(most) if most else None if comma else int(least), at + len(inside) + 1

    def _class(self) -> CharacterSet:
        is_inverted = self._take("^")
        ranges: list[Range] = []
        while not self._take("]"):
            first = self._member()
            if self._peek() != "-" or self._text[self._at + 1 : self._at + 2] in ("]", "") or not _is_single(first):
                ranges += first
                continue
            self._at += 1
            last = self._member()
            if not _is_single(last):
                ranges += (*first, *last, (0x2D, 0x2D))
            elif last[0][0] < first[0][0]:
                raise self.refused("has a range that runs backwards")
            else:
                ranges.append((first[0][0], last[0][0]))
        found = characters.without(characters.joined(ranges), characters.inverted(characters.EVERY))
        found = characters.inverted(found) if is_inverted else found
        if not found:
            raise self.refused("has a class that allows no character")
        return found

    def _member(self) -> CharacterSet:
        if self.is_over:
            raise self.refused("has a [ without a ]")
        letter = self._next()
        if letter != "\\":
            return _single(letter)
        return _single("\b") if self._take("b") else self._escape()

    def _escape(self) -> CharacterSet:
        if self.is_over:
            raise self.refused("ends with a backslash")
        letter = self._next()
        match letter:
            case "d":
                return characters.DIGITS
            case "w":
                return characters.WORD
            case "s":
                return characters.SPACES
            case "D":
                return characters.not_digits()
            case "W":
                return characters.not_word()
            case "S":
                return characters.not_spaces()
            case "x":
                return self._coded(2)
            case "u":
                return self._coded(4)
        if letter in _CONTROLS and not self._peek().isdigit():
            return ((_CONTROLS[letter], _CONTROLS[letter]),)
        if letter.isalnum():
            raise self.refused(f"has \\{letter}, which cannot be enforced")
        return _single(letter)

    def _coded(self, digits: int) -> CharacterSet:
        code = self._text[self._at : self._at + digits]
        if len(code) < digits or any(each not in "0123456789abcdefABCDEF" for each in code):
            raise self.refused("has a \\x or \\u without its number")
        self._at += digits
        number = int(code, 16)
        if 0xD800 <= number <= 0xDFFF:
            raise self.refused("has half a character; write the whole one")
        return ((number, number),)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1] or "\0"

    def _next(self) -> str:
        self._at += 1
        return self._text[self._at - 1]

    def _take(self, letter: str) -> bool:
        if self._text.startswith(letter, self._at):
            self._at += 1
            return True
        return False


def _single(letter: str) -> CharacterSet:
    return ((ord(letter), ord(letter)),)


def _is_single(those: CharacterSet) -> bool:
    return len(those) == 1 and those[0][0] == those[0][1]
