"""Tells a reply's reasoning from its answer, as it comes in and afterwards. Only a beginning can be reasoning.

Every format's tags are known at once: a conversation outlives the model that replied, and its text says what it is.
A reply whose opening tag stands in the prompt is kept with that tag in front (prompt.py), so it reads like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sparkdesk.chat_format.parts import ContentDelta, Part, ReasoningDelta
from sparkdesk.chat_format.stop_strings import partial_match_length


@dataclass(frozen=True, slots=True)
class ReasoningTags:
    opening: str
    closing: str

    def wrapped(self, reasoning: str) -> str:
        """As a model writes it before its answer."""
        return f"{self.opening}\n{reasoning}\n{self.closing}\n\n"


THINK_TAGS = ReasoningTags("<think>", "</think>")
"""Qwen3, DeepSeek-R1 and many others."""
CHANNEL_TAGS = ReasoningTags("<|channel>thought", "<channel|>")
"""Gemma 4."""
ALL_TAGS = (THINK_TAGS, CHANNEL_TAGS)


@dataclass(frozen=True, slots=True)
class ReplyParts:
    """A reply, or as much of it as there is."""

    reasoning: str
    answer: str
    is_reasoning: bool
    """The reasoning is not closed yet."""


def split_reply(text: str) -> ReplyParts:
    """The parts of a reply's text, the same as ReasoningParser gives them piece by piece."""
    parser = ReasoningParser()
    parts = parser.feed(text)
    is_reasoning = parser.is_reasoning
    parts += parser.finish()
    reasoning = "".join(part.text for part in parts if isinstance(part, ReasoningDelta))
    return ReplyParts(reasoning, "".join(part.text for part in parts if isinstance(part, ContentDelta)), is_reasoning)


def opening_tags(text: str) -> ReasoningTags | None:
    """Of the reasoning that a reply begins with; None where it begins with none."""
    start = text.lstrip()
    return next((tags for tags in ALL_TAGS if start.startswith(tags.opening)), None)


class ReasoningParser:
    """White space around the reasoning is the template's, and left out."""

    def __init__(self, tags: Sequence[ReasoningTags] = ALL_TAGS) -> None:
        self._all_tags = tags
        self._closing = ""
        self._rest = ""
        self._step = self._begin
        self._has_reasoning = False

    @property
    def is_reasoning(self) -> bool:
        return self._step == self._reason

    def feed(self, text: str) -> list[Part]:
        self._rest += text
        parts: list[Part] = []
        step = None
        while self._rest and step != self._step:
            step = self._step
            parts += step()
        return parts

    def finish(self) -> list[Part]:
        rest, self._rest = self._rest, ""
        if self._step == self._reason:
            rest = rest.rstrip()
            return [ReasoningDelta(rest)] if rest else []
        return [ContentDelta(rest)] if rest else []

    def _begin(self) -> list[Part]:
        start = self._rest.lstrip()
        for tags in self._all_tags:
            if start.startswith(tags.opening):
                self._rest, self._closing = start[len(tags.opening) :], tags.closing
                self._step = self._reason
                return []
        if not any(tags.opening.startswith(start) for tags in self._all_tags):
            self._step = self._answer
        return []

    def _reason(self) -> list[Part]:
        if not self._has_reasoning:
            self._rest = self._rest.lstrip()
        reasoning, closing, answer = self._rest.partition(self._closing)
        if closing:
            self._rest, self._step = answer, self._cross
            reasoning = reasoning.rstrip()
        else:
            shown = len(reasoning) - partial_match_length(reasoning, (self._closing,))
            reasoning = reasoning[:shown].rstrip()
            self._rest = self._rest[len(reasoning) :]
        self._has_reasoning = self._has_reasoning or bool(reasoning)
        return [ReasoningDelta(reasoning)] if reasoning else []

    def _cross(self) -> list[Part]:
        """Between reasoning and answer."""
        self._rest = self._rest.lstrip("\n")
        if self._rest:
            self._step = self._answer
        return []

    def _answer(self) -> list[Part]:
        text, self._rest = self._rest, ""
        return [ContentDelta(text)]
