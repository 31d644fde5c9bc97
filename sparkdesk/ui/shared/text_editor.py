"""Textual's text area, made safe to undo in when it is as tall as its text."""

from textual.geometry import Offset
from textual.widgets import TextArea


class TextEditor(TextArea):
    """Undo and redo change the document first, then the size, and only then put the cursor where it was. A text area
    of automatic height loses or gains its scroll bar in between, and would look for the cursor where no line is any
    more (`ValueError: document line index 1 is out of bounds`, Textual 8.2.8)."""

    def scroll_cursor_visible(self, center: bool = False, animate: bool = False) -> Offset:
        row, _ = self.cursor_location
        if row >= self.document.line_count:
            return Offset(0, 0)  # it is moved into the document in a moment, and shown then
        return super().scroll_cursor_visible(center, animate)
