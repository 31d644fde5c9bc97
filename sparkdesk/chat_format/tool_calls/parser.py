"""Finds calls in a reply while it comes in. What turns out to be no call stays text, to the letter."""

from sparkdesk.chat_format.parts import ContentDelta, Part, ToolCallArguments, ToolCallStart
from sparkdesk.chat_format.stop_strings import partial_match_length
from sparkdesk.chat_format.tool_calls.protocol import BROKEN, DONE, ReadResult, ToolCallFormat, ToolCallReader


class ToolCallParser:
    """White space around calls is the format's, and left out."""

    def __init__(self, form: ToolCallFormat, *, is_constrained: bool = False, prefix: str = "") -> None:
        """`is_constrained`: a grammar keeps calls well-formed, so their arguments may be told as they come.

        `prefix` is the beginning of a call that the prompt ends with.
        """
        self._form = form
        self._is_constrained = is_constrained
        self._rest = prefix
        self._space = ""
        self._reader: ToolCallReader | None = None
        self._is_closing = False
        self._opened = False
        self.count = 0
        """Calls that are complete."""
        self._begun = 0

    def feed(self, text: str) -> list[Part]:
        self._rest += text
        return self._advance(is_last=False)

    def finish(self) -> list[Part]:
        parts = self._advance(is_last=True)
        rest, self._rest, self._space = self._space + self._rest, "", ""
        return [*parts, ContentDelta(rest)] if rest and not (self._begun and rest.isspace()) else parts

    def _advance(self, *, is_last: bool) -> list[Part]:
        parts: list[Part] = []
        while True:
            before = (self._rest, self._reader, self._is_closing)
            if self._is_closing:
                self._close(is_last=is_last)
            elif self._reader is None:
                parts += self._look(is_last=is_last)
            else:
                parts += self._read(self._reader, is_last=is_last)
            if before == (self._rest, self._reader, self._is_closing):
                return parts

    def _look(self, *, is_last: bool) -> list[Part]:
        """For the next opening tag."""
        said, opening, rest = self._rest.partition(self._form.opening)
        if opening:
            self._rest, self._reader, self._opened = rest, self._form.reader(is_constrained=self._is_constrained), False
        else:
            shown = len(said) - (0 if is_last else partial_match_length(said, (self._form.opening,)))
            self._rest = said[shown:]
            said = said[:shown]
        text = said.rstrip()
        if not text:
            self._space += said
            return []
        space, self._space = self._space, said[len(text) :]
        return [ContentDelta(space + text)]

    def _read(self, reader: ToolCallReader, *, is_last: bool) -> list[Part]:
        reading = reader.read(self._rest, is_last=is_last)
        if reading.status == BROKEN and not self._opened:
            self._reader = None
            space, self._space = self._space, ""
            return [ContentDelta(space + self._form.opening)]  # what follows may hold another one
        self._rest = self._rest[reading.used :]
        parts = self._told(reading)
        if reading.status in (DONE, BROKEN):
            self._reader = None
            self._is_closing = reading.status == DONE
            self.count += reading.status == DONE
        return parts

    def _told(self, reading: ReadResult) -> list[Part]:
        parts: list[Part] = []
        if reading.name is not None:
            self._opened, self._space = True, ""
            parts.append(ToolCallStart(self._begun, reading.name))
            self._begun += 1
        if reading.arguments:
            parts.append(ToolCallArguments(self._begun - 1, reading.arguments))
        return parts

    def _close(self, *, is_last: bool) -> None:
        length = self._form.skip_closing(self._rest, is_last=is_last)
        if length is not None:
            self._rest, self._is_closing = self._rest[length:], False
