"""The calm end of the live panel: the conversation's totals and what is loaded."""

from collections.abc import Iterable

from textual.content import Content
from textual.reactive import reactive

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import MTP
from sparkdesk.ui.shared import bars, numbers
from sparkdesk.ui.shared.section import AMBER, BRIGHT, CALM, FAINT, QUIET, Section, row

_LEAST_MS = 0.5
_TIGHT = 0.8
"""Share of the context from which on it is worth a look."""


class TotalsSection(Section):
    left_out: reactive[int] = reactive(0)
    """Messages that the model no longer reads."""
    context_used: reactive[int] = reactive(0)
    """Tokens, as counted beside the prompt; 0 where that does not count now."""

    def lines(self, width: int) -> Iterable[Content]:
        totals = self.figures.totals
        replies = "1 reply" if totals.replies == 1 else f"{totals.replies} replies"
        tokens = f"{replies} · {numbers.tokens(totals.tokens)}"
        yield row("conversation", tokens, width, label_style=BRIGHT)
        yield row(*_saved(totals.saved_ms), width)
        yield row(*_in_all(self.figures.in_all.saved_ms), width, value_style=QUIET)
        yield self._context_line(width)

    def _context_line(self, width: int) -> Content:
        size = self.model.context_tokens if self.model else 0
        used = 0 if self.figures.is_replying else self.context_used
        used = used or self.figures.context_used
        fraction = used / size if size else 0.0
        counts = f"{numbers.grouped(used)} / {numbers.grouped(size)}" if size else numbers.UNKNOWN
        note = f" · {self.left_out} not read" if self.left_out else ""
        bar_width = max(0, width - len(counts) - len(note) - 10)
        filled = bars.bar(fraction, bar_width).rstrip()
        is_tight = bool(self.left_out) or fraction >= _TIGHT
        return Content.assemble(
            ("context  ", QUIET),
            (filled, AMBER if is_tight else CALM),
            ("·" * (bar_width - len(filled)), FAINT),
            (f" {counts}", BRIGHT),
            (note, "$warning"),
        )


class ModelSection(Section):
    problem: reactive[str] = reactive("")
    """Why there is no speculation; takes the draft's place."""

    def lines(self, width: int) -> Iterable[Content]:
        model = self.model
        if model is None:
            return
        size = f" · {numbers.magnitude(model.parameter_count)}" if model.parameter_count else ""
        yield row("target", _cut(model.name, size, width - len("target  ")), width, value_style=QUIET)
        if self.problem:
            yield Content.styled(f"⊘ {self.problem}", "$warning")
            return
        yield row("draft", _draft(model, width - len("draft  ")), width, value_style=QUIET)
        if model.drafter_title and model.drafter_kind not in ("dspark", MTP):  # there the name says it
            yield row("drafter", model.drafter_title, width, value_style=QUIET)
        yield row("device", _place(model), width, value_style=QUIET)


def _cut(name: str, rest: str, room: int) -> str:
    """The name gives way to what follows it."""
    most = max(1, room - len(rest))
    return f"{name if len(name) <= most else name[: most - 1].rstrip() + '…'}{rest}"


def _draft(model: ModelInfo, room: int) -> str:
    if model.draft_name:
        return _cut(model.draft_name, f" · block size {model.block_size}" if model.block_size else "", room)
    return "managed by the server" if model.switch_problem else "none · prompt lookup"


def _saved(saved_ms: float) -> tuple[str, str]:
    if saved_ms < -_LEAST_MS:
        return "lost to speculation", numbers.duration(-saved_ms)
    return "saved by speculation", numbers.duration(saved_ms) if saved_ms > _LEAST_MS else numbers.UNKNOWN


def _in_all(saved_ms: float) -> tuple[str, str]:
    what = "  lost" if saved_ms < -_LEAST_MS else "  saved"
    return f"{what} in all chats", numbers.duration(abs(saved_ms)) if abs(saved_ms) > _LEAST_MS else numbers.UNKNOWN


def _place(model: ModelInfo) -> str:
    threads = (
        f" · {model.threads} thread{'s' * (model.threads != 1)}" if model.gpu_layers == 0 and model.threads else ""
    )
    return ", ".join(model.devices) + threads
