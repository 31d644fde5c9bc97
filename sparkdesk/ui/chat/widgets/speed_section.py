"""Tokens per second: now, over the reply, and as a chart in which switching is marked."""

from collections.abc import Iterable, Sequence

from textual.content import Content

from sparkdesk.ui.chat.speed_history import Bin
from sparkdesk.ui.shared import bars, numbers
from sparkdesk.ui.shared.section import AMBER, BRIGHT, CALM, FAINT, QUIET, Section, row

CHART_ROWS = 4
_AXIS = {True: "━", False: "╌"}
_MARK = {True: "▸on", False: "▸off"}
_STYLE = {True: AMBER, False: CALM}


class SpeedSection(Section):
    def lines(self, width: int) -> Iterable[Content]:
        shown = self.figures
        now_style = f"bold {AMBER if shown.is_speculating else CALM}" if shown.is_replying else QUIET
        yield row("speed now", f"{numbers.speed(shown.now)} tok/s", width, value_style=now_style, label_style=BRIGHT)
        yield row("this reply", f"{numbers.speed(shown.reply.tokens_per_second)} tok/s", width)
        bins = shown.bins[-width:]
        yield from chart(bins, width, CHART_ROWS, plain=shown.plain_tokens_per_second)
        is_silent = self.model is not None and self.model.switch_problem and not shown.speculation.verified
        yield Content("") if is_silent else axis(bins, width)
        span = numbers.duration(len(bins) * shown.bin_ms) if bins else ""
        plain = "" if is_silent else f"┈ plain {numbers.speed(shown.plain_tokens_per_second)} tok/s"
        yield row(f"last {span}" if span else "", plain, width, value_style=QUIET, label_style=FAINT)


def chart(bins: Sequence[Bin], width: int, rows: int, *, plain: float) -> Iterable[Content]:
    """Columns as high as the speed; a dotted line where plain decoding is, in the cells the columns leave free."""
    top = bars.round_up(max((each.tokens_per_second for each in bins), default=plain))
    fractions = [each.tokens_per_second / top for each in bins]
    plain_row = rows - 1 - min(rows - 1, int(plain / top * rows)) if plain else -1
    for number, text in enumerate(bars.columns(fractions, rows)):
        filler = "┈" if number == plain_row else " "
        cells = [
            (filler, FAINT) if cell == " " else (cell, _STYLE[each.is_speculating])
            for cell, each in zip(text, bins, strict=True)
        ]
        yield Content.assemble(*bars.runs(cells), (filler * (width - len(bins)), FAINT))


def axis(bins: Sequence[Bin], width: int) -> Content:
    """A thick line where the draft was at work, a broken one where not, and a word at each change."""
    cells = [(_AXIS[each.is_speculating], _STYLE[each.is_speculating]) for each in bins]
    cells += [(" ", FAINT)] * (width - len(bins))
    for position in range(1, len(bins)):
        is_on = bins[position].is_speculating
        if is_on != bins[position - 1].is_speculating:
            for offset, letter in enumerate(_MARK[is_on][: width - position]):
                cells[position + offset] = (letter, f"bold {_STYLE[is_on]}")
    return Content.assemble(*bars.runs(cells))
