"""The base of the live panel's sections: one set of figures, drawn into a fixed number of lines."""

from collections.abc import Iterable, Sequence
from typing import Self

from textual.app import RenderResult
from textual.content import Content
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.ui.chat.live_stats import LiveFigures

QUIET, FAINT, BRIGHT, AMBER, CALM = "$spark-quiet", "$spark-faint", "$foreground", "$primary", "$spark-calm"


class Section(Widget):
    """Draws again only the lines that its figures changed; its height is the style sheet's business."""

    ALLOW_SELECT = False

    figures: reactive[LiveFigures] = reactive(LiveFigures(), repaint=False)
    model: reactive[ModelInfo | None] = reactive(None)

    _rows: Sequence[Content] = ()
    _is_stale = True

    def lines(self, width: int) -> Iterable[Content]:
        raise NotImplementedError

    def render(self) -> RenderResult:
        return Content("\n").join(self.lines(self.content_size.width))

    def render_line(self, y: int) -> Strip:
        if self._is_stale:
            self._rows, self._is_stale = self._drawn(), False
        width, style = self.content_size.width, self.visual_style
        if y >= len(self._rows):
            return Strip.blank(width, style.rich_style)
        line = self._rows[y]
        return Strip(line.render_segments(style)).adjust_cell_length(width, style.rich_style)

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        self._is_stale = self._is_stale or not regions
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def _watch_figures(self) -> None:
        width = self.content_size.width
        if self._is_stale or not width:
            self.refresh()
            return
        before, self._rows = self._rows, self._drawn()
        if len(before) != len(self._rows):
            self.refresh(self.size.region)
            return
        changed = [y for y, row in enumerate(self._rows) if not row.is_same(before[y])]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def _drawn(self) -> list[Content]:
        width = self.content_size.width
        return [
            part for line in self.lines(width) for part in (line.wrap(width) if line.cell_length > width else [line])
        ]


def row(label: str, value: str, width: int, *, value_style: str = BRIGHT, label_style: str = QUIET) -> Content:
    """A label at the left and its value at the right, which is cut where both do not fit."""
    room = max(0, width - len(label) - (2 if label else 0))
    if len(value) > room:
        value = f"{value[: max(0, room - 1)]}…"
    return Content.assemble((label.ljust(width - len(value)), label_style), (value, value_style))
