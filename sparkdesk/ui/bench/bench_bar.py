"""The line at the top of the bench: what is measured with, and whether it is being measured."""

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.ui.keys import key_name


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
