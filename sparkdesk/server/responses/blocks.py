"""The parts of a reply as blocks, one after the other: thoughts, text, calls. The APIs for agents tell them so."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sparkdesk.chat_format.parts import ContentDelta, Part, ReasoningDelta, ToolCallArguments, ToolCallStart

THOUGHTS, TEXT, CALL = "thoughts", "text", "call"


@dataclass(slots=True)
class Block:
    kind: str
    index: int
    name: str = ""
    """Of the function that is called."""
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Of a call, the JSON of its arguments."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Opened:
    block: Block


@dataclass(frozen=True, slots=True)
class Grown:
    block: Block
    text: str


@dataclass(frozen=True, slots=True)
class Closed:
    block: Block


Change = Opened | Grown | Closed


class BlockSequence:
    """Takes parts as they come; only the last block is ever open."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._is_open = False

    def take(self, parts: Iterable[Part]) -> Iterator[Change]:
        for part in parts:
            match part:
                case ToolCallStart(_, name):
                    yield from self._open(CALL, name)
                case ReasoningDelta(text) | ContentDelta(text) | ToolCallArguments(_, text) if text:
                    yield from self._grow(_KINDS[type(part)], text)

    def close(self) -> Iterator[Change]:
        if self._is_open:
            self._is_open = False
            yield Closed(self.blocks[-1])

    def _grow(self, kind: str, text: str) -> Iterator[Change]:
        if not self._is_open or self.blocks[-1].kind != kind:
            yield from self._open(kind)
        block = self.blocks[-1]
        block.pieces.append(text)
        yield Grown(block, text)

    def _open(self, kind: str, name: str = "") -> Iterator[Change]:
        yield from self.close()
        self.blocks.append(Block(kind, len(self.blocks), name))
        self._is_open = True
        yield Opened(self.blocks[-1])


_KINDS: dict[type[Part], str] = {ReasoningDelta: THOUGHTS, ContentDelta: TEXT, ToolCallArguments: CALL}
