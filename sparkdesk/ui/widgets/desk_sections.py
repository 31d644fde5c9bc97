"""The calm end of the live panel: the conversation's totals and what is loaded."""

from collections.abc import Iterable

from textual.content import Content
from textual.reactive import reactive

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.ui import bars, figures
from sparkdesk.ui.widgets.section import BRIGHT, CALM, FAINT, QUIET, Section, row


class TotalsSection(Section):
    def lines(self, width: int) -> Iterable[Content]:
        totals = self.figures.totals
        replies = "1 reply" if totals.replies == 1 else f"{totals.replies} replies"
        tokens = f"{replies} · {figures.tokens(totals.tokens)}"
        yield row("conversation", tokens, width, label_style=BRIGHT)
        yield row(*_saved(totals.saved_ms), width)
        size = self.model.context_tokens if self.model else 0
        used = self.figures.context_used
        numbers = f"{figures.grouped(used)} / {figures.grouped(size)}" if size else figures.UNKNOWN
        bar_width = max(0, width - len(numbers) - 10)
        filled = bars.bar(used / size if size else 0.0, bar_width).rstrip()
        yield Content.assemble(
            ("context  ", QUIET),
            (filled, CALM),
            ("·" * (bar_width - len(filled)), FAINT),
            (f" {numbers}", BRIGHT),
        )


class ModelSection(Section):
    problem: reactive[str] = reactive("")
    """Why there is no speculation; takes the draft's place."""

    def lines(self, width: int) -> Iterable[Content]:
        model = self.model
        if model is None:
            return
        yield row("target", f"{model.name} · {figures.magnitude(model.parameter_count)}", width, value_style=QUIET)
        if self.problem:
            yield Content.styled(f"⊘ {self.problem}", "$warning")
            return
        yield row("draft", f"{model.draft_name} · {model.block_size} a block", width, value_style=QUIET)
        yield row("device", _place(model), width, value_style=QUIET)


def _saved(saved_ms: float) -> tuple[str, str]:
    if saved_ms < -0.5:
        return "lost to speculation", figures.duration(-saved_ms)
    return "saved by speculation", figures.duration(saved_ms) if saved_ms > 0.5 else figures.UNKNOWN


def _place(model: ModelInfo) -> str:
    threads = f" · {model.threads} thread{'s' * (model.threads != 1)}" if model.gpu_layers == 0 else ""
    return ", ".join(model.devices) + threads
