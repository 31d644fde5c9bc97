"""Tells a reply's thoughts from its answer while it comes in. Only what a reply begins with can be a thought."""

from dataclasses import dataclass

from sparkdesk.chat_format.parts import ContentDelta, Part, ReasoningDelta
from sparkdesk.chat_format.stop_strings import partial_match_length


@dataclass(frozen=True, slots=True)
class ReasoningTags:
    opening: str
    closing: str


THINK_TAGS = ReasoningTags("<think>", "</think>")
CHANNEL_TAGS = ReasoningTags("<|channel>thought", "<channel|>")


class ReasoningParser:
    """White space around the thought is the template's, and left out."""

    def __init__(self, tags: ReasoningTags, *, is_opened: bool) -> None:
        """`is_opened`: the prompt itself ends with the opening tag."""
        self._tags = tags
        self._rest = ""
        self._step = self._think if is_opened else self._begin
        self._has_thought = False

    @property
    def is_thinking(self) -> bool:
        return self._step == self._think

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
        if self._step == self._think:
            rest = rest.rstrip()
            return [ReasoningDelta(rest)] if rest else []
        return [ContentDelta(rest)] if rest else []

    def _begin(self) -> list[Part]:
        start, opening = self._rest.lstrip(), self._tags.opening
        if start.startswith(opening):
            self._rest = start[len(opening) :]
            self._step = self._think
        elif not opening.startswith(start):
            self._step = self._answer
        return []

    def _think(self) -> list[Part]:
        if not self._has_thought:
            self._rest = self._rest.lstrip()
        thought, closing, answer = self._rest.partition(self._tags.closing)
        if closing:
            self._rest, self._step = answer, self._cross
            thought = thought.rstrip()
        else:
            shown = len(thought) - partial_match_length(thought, (self._tags.closing,))
            thought = thought[:shown].rstrip()
            self._rest = self._rest[len(thought) :]
        self._has_thought = self._has_thought or bool(thought)
        return [ReasoningDelta(thought)] if thought else []

    def _cross(self) -> list[Part]:
        """Between thought and answer."""
        self._rest = self._rest.lstrip("\n")
        if self._rest:
            self._step = self._answer
        return []

    def _answer(self) -> list[Part]:
        text, self._rest = self._rest, ""
        return [ContentDelta(text)]
