"""From the tokens of a reply to what its reader gets: characters, stop strings, thoughts, calls, in this order."""

import codecs
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from sparkdesk.chat_format.parts import ContentDelta, Part
from sparkdesk.chat_format.reasoning import ReasoningParser
from sparkdesk.chat_format.stop_strings import StopMatcher
from sparkdesk.chat_format.tool_calls.parser import ToolCallParser
from sparkdesk.engine.round import TokenLogprobs


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """How likely a token was, with its text."""

    piece: bytes
    likelihood: TokenLogprobs
    top_pieces: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ParsedEvent:
    """What can be told now."""

    parts: tuple[Part, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    """Of the tokens whose text has been told, where it was asked for."""


@dataclass
class StreamParser:
    """Takes one token after the other. Nothing comes out behind a stop string, or a call where one is enough."""

    stops: StopMatcher
    thoughts: ReasoningParser | None = None
    calls: ToolCallParser | None = None
    most_calls: int = 0
    """0 is any number."""
    token_count: int = 0
    reasoning_count: int = 0
    """Tokens that went into thoughts."""
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )
    _decoded: int = 0
    _released: int = 0
    _waiting: deque[tuple[int, TokenLogprob]] = field(default_factory=deque)
    """With the number of characters up to the token's end."""

    @property
    def is_over(self) -> bool:
        """Nothing more is wanted of the model."""
        calls = self.calls.count if self.calls is not None else 0
        return self.stops.found is not None or 0 < self.most_calls <= calls

    @property
    def has_calls(self) -> bool:
        return self.calls is not None and self.calls.count > 0

    def take(self, piece: bytes, logprob: TokenLogprob | None = None) -> ParsedEvent:
        self.token_count += 1
        text = self._decoder.decode(piece)
        self._decoded += len(text)
        if logprob is not None:
            self._waiting.append((self._decoded, logprob))
        parts = self._split(self.stops.feed(text))
        self.reasoning_count += self.thoughts is not None and self.thoughts.is_thinking
        return ParsedEvent(tuple(parts), self._told())

    def finish(self) -> ParsedEvent:
        """What was held back."""
        text = self._decoder.decode(b"", final=True)
        self._decoded += len(text)
        parts = self._split(self.stops.feed(text) + self.stops.finish())
        if self.thoughts is not None:
            parts += self._called(self.thoughts.finish())
        if self.calls is not None:
            parts += self.calls.finish()
        return ParsedEvent(tuple(parts), self._told())

    def _split(self, text: str) -> list[Part]:
        self._released += len(text)
        if self.thoughts is None:
            return self._called([ContentDelta(text)] if text else [])
        return self._called(self.thoughts.feed(text))

    def _called(self, parts: Sequence[Part]) -> list[Part]:
        if self.calls is None:
            return list(parts)
        told: list[Part] = []
        for part in parts:
            told += self.calls.feed(part.text) if isinstance(part, ContentDelta) else [part]
        return told

    def _told(self) -> tuple[TokenLogprob, ...]:
        told = []
        while self._waiting and self._waiting[0][0] <= self._released:
            told.append(self._waiting.popleft()[1])
        return tuple(told)
