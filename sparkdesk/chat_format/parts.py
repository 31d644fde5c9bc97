"""What a reply consists of for its reader, piece by piece."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """What the model thinks before it answers."""

    text: str


@dataclass(frozen=True, slots=True)
class ContentDelta:
    """Text of the answer itself."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallStart:
    """The model wants a function called; its arguments follow."""

    index: int
    name: str


@dataclass(frozen=True, slots=True)
class ToolCallArguments:
    """A piece of the arguments' JSON text."""

    index: int
    text: str


Part = ReasoningDelta | ContentDelta | ToolCallStart | ToolCallArguments


def merge_deltas(parts: list[Part]) -> list[Part]:
    """Neighbours of the same kind made one, and empty ones left out: the same however the text came in."""
    result: list[Part] = []
    for part in parts:
        last = result[-1] if result else None
        match last, part:
            case ReasoningDelta(before), ReasoningDelta(text):
                result[-1] = ReasoningDelta(before + text)
            case ContentDelta(before), ContentDelta(text):
                result[-1] = ContentDelta(before + text)
            case ToolCallArguments(index, before), ToolCallArguments(same, text) if index == same:
                result[-1] = ToolCallArguments(index, before + text)
            case _, ReasoningDelta("") | ContentDelta(""):
                pass
            case _:
                result.append(part)
    return result
