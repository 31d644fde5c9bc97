"""A list of models: rows in columns, headings between them, and the row that is chosen."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from sparkdesk.safe_text import safe_line
from sparkdesk.sizes import shortened
from sparkdesk.ui.models.rows import Heading, Line, Remark, Row

_GAP = 2
_LEAST_NAME = 12
_UNSEEN_WIDTH = 78
_BAD = "✗ "


class ModelList(OptionList):
    """Keeps the chosen row when its lines are read again."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Choose", tooltip="Open what is here, get what is not", id="list.choose"),
    ]

    def __init__(self) -> None:
        super().__init__(compact=True)
        self._listed: tuple[Line, ...] = ()
        self._shown: tuple[tuple[Line, ...], int] = ((), 0)

    @property
    def chosen(self) -> Row | None:
        option = self.highlighted_option
        return self.row(option.id) if option is not None and option.id else None

    def row(self, key: str) -> Row | None:
        return next((line for line in self._listed if isinstance(line, Row) and line.key == key), None)

    def show(self, lines: Iterable[Line]) -> None:
        self._listed = tuple(_safe(line) for line in lines)
        self._redraw()

    def on_resize(self, event: events.Resize) -> None:
        self._redraw()

    def _redraw(self) -> None:
        width = self.scrollable_content_region.width or _UNSEEN_WIDTH
        if self._shown == (self._listed, width):
            return
        self._shown = (self._listed, width)
        chosen = self.chosen
        cells = [line.cells for line in self._listed if not isinstance(line, Remark)]
        widths = _widths(cells, width)
        self.set_options(_option(line, widths) for line in self._listed)
        self.choose(chosen.key if chosen is not None else "")

    def choose(self, key: str) -> None:
        rows = [i for i, line in enumerate(self._listed) if isinstance(line, Row)]
        """The row of that key, or else the first one."""
        same = self.row(key)
        self.highlighted = self._listed.index(same) if same is not None else next(iter(rows), None)


def _safe(line: Line) -> Line:
    """Names come from files and from the hub."""
    match line:
        case Remark(text):
            return Remark(safe_line(text))
        case Row() | Heading():
            return replace(line, cells=tuple(safe_line(cell) for cell in line.cells))


def _option(line: Line, widths: Sequence[int]) -> Option:
    match line:
        case Remark(text):
            return Option(Content.styled(text, "$spark-quiet"), disabled=True)
        case Heading(cells):
            return Option(Content.styled(_in_columns(cells, widths), "$spark-quiet"), disabled=True)
        case Row(key, cells, _, trouble):
            cells = (f"{_BAD}{cells[0]}" if trouble else cells[0], *cells[1:])
            return Option(Content.styled(_in_columns(cells, widths), "$error" if trouble else ""), id=key)


def _widths(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Columns as wide as their longest cell; the first one takes what is left."""
    count = max((len(cells) for cells in rows), default=1)
    widths = [max((len(cells[i]) for cells in rows if i < len(cells)), default=0) for i in range(count)]
    others = sum(each + _GAP for each in widths[1:] if each)
    widths[0] = max(_LEAST_NAME, width - others)
    return widths


def _in_columns(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Numbers stand at the right of their column."""
    parts = [shortened(cells[0], widths[0]).ljust(widths[0])]
    for cell, width in zip(cells[1:], widths[1:], strict=False):
        if width:
            is_number = cell[:1].isdigit() and not cell.endswith("ago")
            parts.append(cell.rjust(width) if is_number else cell.ljust(width))
    return (" " * _GAP).join(parts).rstrip()
