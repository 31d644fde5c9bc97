"""Text to the letter as lines of a width, growing at its end; every piece of it has a style."""

from collections.abc import Iterable, Sequence

from textual.content import Content

from sparkdesk.safe_text import safe_rest

_MOST_OPEN = 12
"""Lines of one paragraph that are wrapped again at every step."""


class GrowingText:
    """Has lines of one width at a time. Finished lines are kept, and only what follows them is wrapped again."""

    def __init__(self) -> None:
        self._pieces: list[tuple[str, str]] = []
        self._before = ""
        """The piece that came last, as it was."""
        self._width = 0
        self._lines: list[Content] = []
        self._done_count = 0
        self._open = Content("")

    def grow(self, pieces: Iterable[tuple[str, str]]) -> None:
        """Text and its style."""
        added = []
        for text, style in pieces:
            added.append((safe_rest(text, self._before), style))
            self._before = text or self._before
        self._pieces += added
        self._advance(added)

    def lines(self, width: int) -> Sequence[Content]:
        if width != self._width:
            self._width, self._lines, self._done_count, self._open = width, [], 0, Content("")
            self._advance(self._pieces)
        return self._lines

    def _advance(self, pieces: Sequence[tuple[str, str]]) -> None:
        if not self._width or not pieces:
            return
        del self._lines[self._done_count :]
        *finished, self._open = Content.assemble(self._open, *pieces).split(allow_blank=True) or [Content("")]
        for line in finished:
            self._lines += line.wrap(self._width) or [Content("")]
        wrapped = self._open.wrap(self._width)
        if len(wrapped) > _MOST_OPEN:
            self._lines += wrapped[:-1]
            self._open = wrapped[-1]
            wrapped = wrapped[-1:]
        self._done_count = len(self._lines)
        self._lines += wrapped if self._open else []
