"""What a reply consists of for its reader, piece by piece."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thought:
    """What the model thinks before it answers."""

    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """Text of the answer itself."""

    text: str


@dataclass(frozen=True, slots=True)
class CallOpened:
    """The model wants a function called; its arguments follow."""

    index: int
    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """A piece of the arguments' JSON text."""

    index: int
    text: str


Part = Thought | Said | CallOpened | CallArguments


def joined(parts: list[Part]) -> list[Part]:
    """Neighbours of the same kind made one, and empty ones left out: the same however the text came in."""
    result: list[Part] = []
    for part in parts:
        last = result[-1] if result else None
        match last, part:
            case Thought(before), Thought(text):
                result[-1] = Thought(before + text)
            case Said(before), Said(text):
                result[-1] = Said(before + text)
            case CallArguments(index, before), CallArguments(same, text) if index == same:
                result[-1] = CallArguments(index, before + text)
            case _, Thought("") | Said(""):
                pass
            case _:
                result.append(part)
    return result
