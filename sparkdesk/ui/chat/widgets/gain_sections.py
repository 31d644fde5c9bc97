"""What speculation gains and where: the gain itself, acceptance by block position, and the time a round takes."""

from collections.abc import Iterable, Sequence

from textual.content import Content

from sparkdesk.engine.stats import ReplyStats
from sparkdesk.ui.chat import heatmap
from sparkdesk.ui.chat.live_stats import LiveFigures
from sparkdesk.ui.chat.widgets.speculation_switch import is_lookup
from sparkdesk.ui.shared import bars, numbers
from sparkdesk.ui.shared.section import AMBER, BRIGHT, CALM, FAINT, QUIET, Section, row

POSITIONS = 7
DRAFT, VERIFY, REST = "█", "▓", "░"


class GainSection(Section):
    """Speculating rounds against plain decoding of the same tokens on this machine."""

    def lines(self, width: int) -> Iterable[Content]:
        stats = self.figures.speculation
        style = f"bold {gain_colour(self.figures)}" if self.figures.is_speculating else FAINT
        value = numbers.speedup(stats) if stats.verified else numbers.UNKNOWN
        yield row("gain", value, width, value_style=style, label_style=BRIGHT)
        quiet = QUIET if self.figures.is_speculating else FAINT
        words, chosen = self._words(stats), numbers.chosen(self.figures.choice)
        if len(words) + len(chosen) + 2 > width:
            chosen = chosen.partition(":")[0] if len(words) + len(chosen.partition(":")[0]) + 2 <= width else ""
        yield row(chosen, words, width, value_style=quiet)

    def _words(self, stats: ReplyStats) -> str:
        if not stats.rounds:
            return "against plain decoding"
        if self.figures.choice.is_parked:
            return numbers.parked(self.figures.choice)
        if stats.speedup <= 0:
            return "plain speed not measured yet"
        words = numbers.gain(stats, parked_rounds=self.figures.parked_rounds)
        words = words.removeprefix(f"{numbers.speedup(stats)} · ")
        return words if self.figures.is_speculating else f"{words} while it was on"


class AcceptanceSection(Section):
    """How many tokens a round gains, how often each position of the block survives, and what was not the draft's."""

    def lines(self, width: int) -> Iterable[Content]:
        stats = self.figures.speculation
        is_live = self.figures.is_speculating
        length = f"{stats.accepted_length:.2f}" if stats.rounds else numbers.UNKNOWN
        yield row(
            "accepted length", length, width, value_style=f"bold {AMBER}" if is_live else FAINT, label_style=BRIGHT
        )
        if is_lookup(self.model):
            yield from self._lookup_lines(width, QUIET if is_live else FAINT)
            return
        shares = stats.acceptance_by_position
        for position in range(POSITIONS):
            is_reached = position < len(shares) and stats.verified_by_position[position] > 0
            share = shares[position] if is_reached else None
            yield _position_line(position, heatmap.cells(position, self.figures.heat), share, width, is_live=is_live)
        if stats.from_context:
            yield Content.styled(f"from the context: {numbers.tokens(stats.from_context)}", QUIET if is_live else FAINT)

    def _lookup_lines(self, width: int, style: str) -> Iterable[Content]:
        """How often text of the context was proposed, how much of it was right, and what part of the reply it is."""
        stats = self.figures.speculation
        lookups = sum(column.rounds.get("context", 0) for column in self.figures.heat)
        found = f"{stats.from_context / lookups + 1:.1f} tokens each" if lookups else "nothing repeated yet"
        yield row("prompt lookup", f"{numbers.grouped(lookups)} {numbers.TIMES} {found}" if lookups else found, width)
        share = f" · {numbers.percent(stats.from_context / stats.decoded)}" if stats.decoded else ""
        yield row("from the context", f"{numbers.tokens(stats.from_context)}{share}", width, value_style=style)

    def watch_figures(self, shown: LiveFigures) -> None:
        self.set_class(shown.speculation.from_context > 0 and not is_lookup(self.model), "-context")


class RoundSection(Section):
    """Where the milliseconds of a speculating round go."""

    def lines(self, width: int) -> Iterable[Content]:
        stats = self.figures.speculation
        rounds = max(1, stats.rounds)
        draft, verify, rest = (
            (stats.draft_ms + stats.absorb_ms) / rounds,
            stats.verify_ms / rounds,
            stats.other_ms / rounds,
        )
        styles = (AMBER, CALM, QUIET) if self.figures.is_speculating else (FAINT, FAINT, FAINT)
        total = f"{numbers.milliseconds(draft + verify + rest) if stats.rounds else numbers.UNKNOWN} ms"
        yield row(
            "time per round",
            total,
            width,
            value_style=BRIGHT if self.figures.is_speculating else FAINT,
            label_style=BRIGHT,
        )
        cells = bars.shares((draft, verify, rest), width)
        glyphs = (DRAFT, VERIFY, REST)
        stacked = [(glyph * count, style) for glyph, count, style in zip(glyphs, cells, styles, strict=True)]
        yield Content.assemble(*stacked) if sum(cells) else Content.styled("·" * width, FAINT)
        values = zip(("draft", "verify", "other"), (draft, verify, rest), glyphs, styles, strict=True)
        for name, value, glyph, style in list(values)[is_lookup(self.model) :]:
            number = f"{numbers.milliseconds(value) if stats.rounds else numbers.UNKNOWN} ms"
            value_style = BRIGHT if self.figures.is_speculating else FAINT
            yield Content.assemble((f"{glyph} ", style), row(name, number, width - 2, value_style=value_style))


def gain_colour(shown: LiveFigures) -> str:
    if numbers.is_loss(shown.speculation, parked_rounds=shown.parked_rounds):
        return "$error"
    return CALM if shown.choice.is_parked else AMBER


def _position_line(
    position: int, cells: Sequence[tuple[str, str]], share: float | None, width: int, *, is_live: bool
) -> Content:
    """How often that position survived, from the beginning of the reply to now, and on the whole."""
    room = width - 8
    if share is None:
        return Content.assemble((f"{position + 1} ", FAINT), ("·" * room, FAINT), (f"{numbers.UNKNOWN:>6}", FAINT))
    shown = cells[-room:] if is_live else [(text, FAINT) for text, _ in cells[-room:]]
    return Content.assemble(
        (f"{position + 1} ", QUIET),
        *shown,
        ("·" * (room - len(shown)), FAINT),
        (f"{numbers.percent(share):>6}", BRIGHT if is_live else FAINT),
    )
