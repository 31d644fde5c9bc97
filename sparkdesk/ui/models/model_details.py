"""What is known of the chosen model, in lines with a label before each."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from textwrap import wrap

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from sparkdesk.safe_text import safe_line
from sparkdesk.ui.models.facts import Fact

_LABEL = 10
_LEAST_TEXT = 20


class ModelDetails(VerticalScroll):
    """Tab goes there, and the arrows scroll it."""

    def __init__(self) -> None:
        super().__init__()
        self._facts: tuple[Fact, ...] = ()

    def compose(self) -> ComposeResult:
        yield Static()

    def show(self, facts: Iterable[Fact]) -> None:
        self._facts = tuple(replace(fact, text=safe_line(fact.text)) for fact in facts)
        self._redraw()

    def on_resize(self, event: events.Resize) -> None:
        self._redraw()

    def _redraw(self) -> None:
        width = self.scrollable_content_region.width
        lines = [line for number, fact in enumerate(self._facts) for line in _lines(fact, width, is_title=not number)]
        self.query_one(Static).update(Content("\n").join(lines))


def _lines(fact: Fact, width: int, *, is_title: bool) -> Iterator[Content]:
    style = "$error" if fact.is_bad else "bold" if is_title else ""
    indent = _LABEL if fact.label else 0
    for number, text in enumerate(wrap(fact.text, max(_LEAST_TEXT, width - indent), break_on_hyphens=False) or [""]):
        label = fact.label if not number else ""
        yield Content.assemble((label.ljust(indent), "$spark-quiet"), (text, style))
