"""The base of the live panel's sections: one set of figures, drawn into a fixed number of lines."""

from collections.abc import Iterable

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.ui.meter import LiveFigures

QUIET, FAINT, BRIGHT, AMBER, CALM = "$spark-quiet", "$spark-faint", "$foreground", "$primary", "$spark-calm"


class Section(Widget):
    """Redrawn when its figures change; its height is the style sheet's business."""

    ALLOW_SELECT = False

    figures: reactive[LiveFigures] = reactive(LiveFigures())
    model: reactive[ModelInfo | None] = reactive(None)

    def lines(self, width: int) -> Iterable[Content]:
        raise NotImplementedError

    def render(self) -> RenderResult:
        return Content("\n").join(self.lines(self.content_size.width))


def row(label: str, value: str, width: int, *, value_style: str = BRIGHT, label_style: str = QUIET) -> Content:
    """A label at the left and its value at the right."""
    room = max(0, width - len(value) - 1)
    return Content.assemble((label[:room].ljust(width - len(value)), label_style), (value, value_style))
