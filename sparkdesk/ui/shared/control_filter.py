"""The last line of defence: no control character reaches the terminal within the text of any widget."""

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from sparkdesk.safe_text import safe_line


class ControlFilter(LineFilter):
    """Texts from outside become symbols where they come in (safe_text.py), so that lines are laid out with them. What
    was forgotten there is taken out here, without a change of its width."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(segment.text.isascii() and segment.text.isprintable() for segment in segments):
            return segments
        return [segment if segment.control else Segment(_harmless(segment.text), segment.style) for segment in segments]


def _harmless(text: str) -> str:
    if safe_line(text) == text:
        return text
    return "".join(each if safe_line(each) == each else "\N{REPLACEMENT CHARACTER}" * cell_len(each) for each in text)
