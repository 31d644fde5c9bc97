"""How far a measurement is: a bar, the count, the pace and the time left."""

from __future__ import annotations

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.events import Progress
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.shared import bars, numbers

_BAR = 20


class MeasureBar(Widget):
    progress: reactive[Progress | None] = reactive(None)
    words: reactive[str] = reactive("")
    """In place of progress, when nothing is under way."""

    def render(self) -> RenderResult:
        progress = self.progress
        if progress is None:
            return Content.styled(self.words, "$spark-quiet")
        filled = bars.bar(progress.fraction, _BAR).rstrip()
        return Content.assemble(
            (filled, "$primary"),
            ("·" * (_BAR - len(filled)), "$spark-faint"),
            (f" {_count(progress)}", "bold"),
            (f"  {progress.step.rpartition(': ')[2]}", "$spark-quiet"),
        )


def _count(progress: Progress) -> str:
    parts = [
        f"{int(progress.done)} of {progress.total:.0f}" if progress.unit == "prompts" else f"{progress.fraction:.0%}"
    ]
    if progress.rate_per_second > 0:
        left_s = (progress.total - progress.done) / progress.rate_per_second
        parts.append(f"{numbers.duration(1e3 * left_s)} left")
    return " · ".join(parts)


class BenchBar(Widget):
    pair: reactive[str] = reactive("")
    model: reactive[ModelInfo | None] = reactive(None)
    measuring: reactive[str] = reactive("")

    def render(self) -> RenderResult:
        where = f" · {', '.join(self.model.devices)}" if self.model else ""
        name = self.model.name if self.model else self.pair
        parts = [("✦ Bench", "bold $primary"), (f"  {name}", "$foreground"), (where, "$spark-quiet")]
        if self.measuring:
            stop, chat = key_name(self, "bench.leave"), key_name(self, "desk.bench")
            parts.append((f"  ▸ measuring: {self.measuring}", "bold $primary"))
            parts.append((f" · {stop} stops, {chat} goes back to the chat", "$spark-quiet"))
        return Content.assemble(*parts)
