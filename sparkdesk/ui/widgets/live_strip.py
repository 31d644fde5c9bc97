"""The live panel for small windows: the same figures in two lines above the prompt."""

from collections.abc import Iterable

from textual.content import Content
from textual.reactive import reactive

from sparkdesk.engine.stats import ReplyStats
from sparkdesk.ui import bars, figures
from sparkdesk.ui.widgets.gain_sections import POSITIONS, gain_colour
from sparkdesk.ui.widgets.section import AMBER, BRIGHT, CALM, FAINT, QUIET, Section
from sparkdesk.ui.widgets.speed_section import axis, chart

_CHART = 20
_BESIDE_CHART = 51
"""Columns that the words need; a small window has less of a chart rather than a line of half the figures."""


class LiveStrip(Section):
    problem: reactive[str] = reactive("")

    def lines(self, width: int) -> Iterable[Content]:
        shown = self.figures
        style = f"bold {AMBER if shown.is_speculating else CALM}" if shown.is_replying else BRIGHT
        chart_width = max(0, min(_CHART, width - _BESIDE_CHART))
        bins = shown.bins[-chart_width:] if chart_width else ()
        (columns,) = chart(bins, chart_width, 1, plain=0.0)
        reply = f"reply {figures.speed(shown.reply.tokens_per_second):>5}"
        yield Content.assemble(
            (f"{figures.speed(shown.now):>6}", style),
            (" tok/s ", QUIET),
            columns,
            (f"  {reply}  ", QUIET),
            self._gain(),
        )
        yield Content.assemble((" " * 13, ""), axis(bins, chart_width), ("  ", ""), self._acceptance())

    def _gain(self) -> Content:
        stats = self.figures.speculation
        if self.problem:
            return Content.styled(f"⊘ {self.problem}", "$warning")
        if not self.figures.is_speculating:
            return Content.styled("plain decoding" if self.figures.reply.rounds else "", CALM)
        words = figures.gain(stats, parked_rounds=self.figures.parked_rounds)
        if words == figures.PARKED and self.figures.choice.is_parked:
            words = figures.EVEN  # the line below says the rest
        return Content.styled(words, f"bold {gain_colour(self.figures)}")

    def _acceptance(self) -> Content:
        stats = self.figures.speculation
        if self.figures.choice.is_parked:
            return Content.styled(figures.parked(self.figures.choice), CALM)
        style, number_style = (AMBER, BRIGHT) if self.figures.is_speculating else (FAINT, FAINT)
        length = f"{stats.accepted_length:.2f}" if stats.rounds else figures.UNKNOWN
        return Content.assemble(
            ("accepted ", QUIET), (length, number_style), ("  by position ", QUIET), (_levels(stats), style)
        )


def _levels(stats: ReplyStats) -> str:
    shares = stats.acceptance_by_position[:POSITIONS]
    return "".join(bars.level(share) for share in shares).ljust(POSITIONS, "·")
