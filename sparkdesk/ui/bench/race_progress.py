"""The race while it is measured: one arm after the other, each with how far it is. It gives away no result."""

from __future__ import annotations

from collections.abc import Iterator

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from sparkdesk.bench.race import PLAIN, SPECULATIVE, ArmAdvanced, Judging, RaceEvent, WarmingUp
from sparkdesk.ui.shared import bars

_BAR = 24
_WAITING, _DONE = "○", "●"


class RaceProgress(Widget, can_focus=True):
    """Shows the last event of each kind."""

    event: reactive[RaceEvent | None] = reactive(None)
    is_plain_first: reactive[bool] = reactive(True)

    def render(self) -> RenderResult:
        return Content("\n").join(self._lines())

    def _lines(self) -> Iterator[Content]:
        yield Content.styled("Both runs use the same machine, one after the other.", "bold")
        yield Content()
        is_warm = not isinstance(self.event, WarmingUp | None)
        yield _line("warming up", is_done=is_warm, is_now=not is_warm)
        order = (PLAIN, SPECULATIVE) if self.is_plain_first else (SPECULATIVE, PLAIN)
        running = order.index(self.event.arm) if isinstance(self.event, ArmAdvanced) else -1
        for place, arm in enumerate(order):
            is_over = isinstance(self.event, Judging) or place < running
            name = "plain decoding" if arm == PLAIN else "with speculation"
            is_now = place == running
            yield _line(name, is_done=is_over, is_now=is_now, event=self.event if is_now else None)
        yield _line("comparing the texts", is_done=False, is_now=isinstance(self.event, Judging))
        yield Content()
        yield Content.styled("Then both are replayed side by side.", "$spark-quiet")


def _line(name: str, *, is_done: bool, is_now: bool, event: RaceEvent | None = None) -> Content:
    style = "bold $foreground" if is_now else "$spark-quiet"
    glyph = (_DONE, "$success") if is_done else ("▸", "$primary") if is_now else (_WAITING, "$spark-faint")
    if not isinstance(event, ArmAdvanced):
        return Content.assemble(glyph, " ", (name, style))
    if not event.generated:
        return Content.assemble(glyph, " ", (f"{name:20}", style), ("reading the prompt", "$spark-quiet"))
    filled = bars.bar(event.generated / event.max_tokens, _BAR).rstrip()
    return Content.assemble(
        glyph,
        " ",
        (f"{name:20}", style),
        (filled, "$primary"),
        ("·" * (_BAR - len(filled)), "$spark-faint"),
        (f" {event.generated} of at most {event.max_tokens} tokens", "$spark-quiet"),
    )
