"""The live panel for small windows: the same figures in two lines above the prompt."""

from collections.abc import Iterable

from textual.content import Content
from textual.reactive import reactive

from sparkdesk.engine.stats import ReplyStats
from sparkdesk.ui.chat.widgets.gain_sections import POSITIONS, gain_colour
from sparkdesk.ui.chat.widgets.speculation_switch import is_lookup
from sparkdesk.ui.chat.widgets.speed_section import axis, chart
from sparkdesk.ui.shared import bars, numbers
from sparkdesk.ui.shared.section import AMBER, BRIGHT, CALM, FAINT, QUIET, Section

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
        reply = f"reply {numbers.speed(shown.reply.tokens_per_second):>5}"
        yield Content.assemble(
            (f"{numbers.speed(shown.now):>6}", style),
            (" tok/s ", QUIET),
            columns,
            (f"  {reply}  ", QUIET),
            self._gain(),
        )
        line = Content(" " * chart_width) if self._is_silent else axis(bins, chart_width)
        yield Content.assemble((" " * 13, ""), line, ("  ", ""), self._acceptance())

    @property
    def _is_silent(self) -> bool:
        """A server replies, and says nothing of how it decodes."""
        return bool(self.model and self.model.switch_problem) and not self.figures.speculation.verified

    def _gain(self) -> Content:
        stats = self.figures.speculation
        if self.problem:
            return Content.styled(f"⊘ {self.problem}", "$warning")
        if not self.figures.is_speculating:
            is_plain = self.figures.reply.rounds and not self._is_silent
            return Content.styled("plain decoding" if is_plain else "", CALM)
        words = numbers.gain(stats, parked_rounds=self.figures.parked_rounds)
        if words == numbers.PARKED and self.figures.choice.is_parked:
            words = numbers.EVEN  # the line below says the rest
        return Content.styled(words, f"bold {gain_colour(self.figures)}")

    def _acceptance(self) -> Content:
        stats = self.figures.speculation
        if self._is_silent:
            return Content("")
        if self.figures.choice.is_parked:
            return Content.styled(numbers.parked(self.figures.choice), CALM)
        style, number_style = (AMBER, BRIGHT) if self.figures.is_speculating else (FAINT, FAINT)
        length = f"{stats.accepted_length:.2f}" if stats.rounds else numbers.UNKNOWN
        if is_lookup(self.model):
            found = numbers.tokens(stats.from_context)
            return Content.assemble(("accepted ", QUIET), (length, number_style), (f"  from context {found}", QUIET))
        return Content.assemble(
            ("accepted ", QUIET), (length, number_style), ("  by position ", QUIET), (_levels(stats), style)
        )


def _levels(stats: ReplyStats) -> str:
    shares = stats.acceptance_by_position[:POSITIONS]
    return "".join(bars.level(share) for share in shares).ljust(POSITIONS, "·")
