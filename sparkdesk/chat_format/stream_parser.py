"""From the tokens of a reply to what its reader gets: characters, reasoning, stop strings and tool calls."""

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
    logprob: TokenLogprobs
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
    reasoning: ReasoningParser | None = None
    calls: ToolCallParser | None = None
    most_calls: int = 0
    """0 is any number."""
    stops_in_reasoning: bool = False
    """Look for stop strings in reasoning too; else an answer is not lost to a word that was only thought of."""
    token_count: int = 0
    reasoning_count: int = 0
    """Tokens that went into reasoning."""
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )
    _decoded: int = 0
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

    def skip(self, text: str) -> None:
        """A beginning of the reply that stands in the prompt: it is known, and not told again."""
        if self.reasoning is not None:
            self.reasoning.feed(text)

    def take(self, piece: bytes, logprob: TokenLogprob | None = None) -> ParsedEvent:
        self.token_count += 1
        text = self._decoder.decode(piece)
        self._decoded += len(text)
        if logprob is not None:
            self._waiting.append((self._decoded, logprob))
        parts = self._parse(text)
        self.reasoning_count += self.reasoning is not None and self.reasoning.is_reasoning
        return ParsedEvent(tuple(parts), self._told())

    def finish(self, *, is_cut: bool = False) -> ParsedEvent:
        """What was held back. Of a reply that was cut, a character of which only a part has come is no part of it."""
        if is_cut:
            self._decoder.reset()
        text = self._decoder.decode(b"", final=True)
        self._decoded += len(text)
        parts = self._parse(text, is_last=True)
        if self.calls is not None:
            parts += self.calls.finish()
        return ParsedEvent(tuple(parts), self._told())

    def _parse(self, text: str, *, is_last: bool = False) -> list[Part]:
        if self.stops_in_reasoning:
            text = self.stops.feed(text) + (self.stops.finish() if is_last else "")
        parts: list[Part] = [ContentDelta(text)] if text else []
        if self.reasoning is not None:
            parts = self.reasoning.feed(text) + (self.reasoning.finish() if is_last else [])
        if not self.stops_in_reasoning:
            parts = self._up_to_stop(parts, is_last=is_last)
        return self._with_calls(parts)

    def _up_to_stop(self, parts: Sequence[Part], *, is_last: bool) -> list[Part]:
        kept: list[Part] = []
        for part in parts:
            kept.append(ContentDelta(self.stops.feed(part.text)) if isinstance(part, ContentDelta) else part)
        if is_last:
            kept.append(ContentDelta(self.stops.finish()))
        return [part for part in kept if part != ContentDelta("")]

    def _with_calls(self, parts: Sequence[Part]) -> list[Part]:
        if self.calls is None:
            return list(parts)
        parsed: list[Part] = []
        for part in parts:
            parsed += self.calls.feed(part.text) if isinstance(part, ContentDelta) else [part]
        return parsed

    def _told(self) -> tuple[TokenLogprob, ...]:
        told = []
        while self._waiting and self._waiting[0][0] <= self._decoded - self.stops.withheld:
            told.append(self._waiting.popleft()[1])
        return tuple(told)
