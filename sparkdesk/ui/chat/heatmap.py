"""How often each position of the block survived, over the length of a reply. Pure: rounds in, lines of text out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from textual.content import Content

from sparkdesk.chat.trace import RoundMark
from sparkdesk.ui.shared import bars, numbers

POSITIONS = 7
CAPACITY = 240
"""Columns that are kept; when there are more, neighbours are joined."""
_SHADES = " ░▒▓█"
_STYLES = ("$spark-faint", "$primary 45%", "$primary 65%", "$primary 85%", "$primary")
_UNREACHED, _PARKED, _OFF = "·", "┊", " "
_AXIS = {
    "speculating": ("━", "$primary"),
    "context": ("═", "$success"),
    "parked": ("┄", "$spark-calm"),
    "off": ("╌", "$spark-quiet"),
}

_WORDS = {"speculating": "drafting", "context": "repeating the context", "parked": "parked", "off": "off"}


@dataclass(slots=True)
class Column:
    """A stretch of the reply."""

    tokens: int = 0
    verified: list[int] = field(default_factory=lambda: [0] * POSITIONS)
    accepted: list[int] = field(default_factory=lambda: [0] * POSITIONS)
    rounds: dict[str, int] = field(default_factory=dict)
    """By what they were: the keys of `_AXIS`."""

    @property
    def kind(self) -> str:
        return max(self.rounds, key=lambda kind: self.rounds[kind]) if self.rounds else "off"

    def share(self, position: int) -> float | None:
        """Accepted of what was verified there; None when nothing was."""
        return self.accepted[position] / self.verified[position] if self.verified[position] else None

    def add(self, done: RoundMark) -> None:
        self.tokens += done.tokens
        kind = _kind(done)
        self.rounds[kind] = self.rounds.get(kind, 0) + 1
        if kind == "speculating":
            for position in range(min(POSITIONS, done.verified)):
                self.verified[position] += 1
                self.accepted[position] += position < done.accepted

    def plus(self, other: "Column") -> "Column":
        kinds = {kind: self.rounds.get(kind, 0) + other.rounds.get(kind, 0) for kind in self.rounds | other.rounds}
        return Column(
            self.tokens + other.tokens,
            [mine + theirs for mine, theirs in zip(self.verified, other.verified, strict=True)],
            [mine + theirs for mine, theirs in zip(self.accepted, other.accepted, strict=True)],
            kinds,
        )


class Heat:
    """Columns of equally many tokens, filled as rounds come; they get wider instead of more."""

    def __init__(self, rounds: Iterable[RoundMark] = ()) -> None:
        self._columns: list[Column] = []
        self._span = 2
        """Tokens a column holds."""
        self.add(rounds)

    def add(self, rounds: Iterable[RoundMark]) -> None:
        for done in rounds:
            if not done.elapsed_ms:  # the first token came with the prefill
                continue
            if not self._columns or self._columns[-1].tokens >= self._span:
                self._columns.append(Column())
            self._columns[-1].add(done)
            if len(self._columns) > CAPACITY:
                self._columns, self._span = _joined(self._columns, 2), self._span * 2

    def columns(self, most: int) -> list[Column]:
        """At most so many, of neighbours joined."""
        if len(self._columns) <= most:
            return self._columns
        return _joined(self._columns, -(-len(self._columns) // max(1, most)))

    def lines(self, width: int) -> list[Content]:
        """A row for each position that was ever verified, and an axis that tells what speculation did."""
        columns = self.columns(max(1, width - 9))
        if not columns:
            return []
        total = columns[0]
        for column in columns[1:]:
            total = total.plus(column)
        rows = [position for position in range(POSITIONS) if total.verified[position]]
        lines = [_row(position, columns, total.share(position) or 0.0) for position in rows]
        return [
            *lines,
            Content.assemble(("  ", ""), *bars.runs(_AXIS[column.kind] for column in columns)),
            key(columns),
        ]


def key(columns: Sequence[Column]) -> Content:
    """What the glyphs mean, as far as they occur."""
    kinds = {column.kind for column in columns}
    shades: list[tuple[str, str]] = [("░▒▓█", "$primary"), (" share accepted  ", "$spark-quiet")] * (
        "speculating" in kinds
    )
    for kind, (glyph, style) in _AXIS.items():
        if kind in kinds:
            shades += [(glyph * 2, style), (f" {_WORDS[kind]}  ", "$spark-quiet")]
    return Content.assemble(("  ", ""), *shades)


def cells(position: int, columns: Sequence[Column]) -> list[tuple[str, str]]:
    """One row without its frame."""
    return [_cell(column, position) for column in columns]


def _row(position: int, columns: Sequence[Column], share: float) -> Content:
    cells = [_cell(column, position) for column in columns]
    return Content.assemble(
        (f"{position + 1} ", "$spark-quiet"), *cells, (f" {numbers.percent(share):>6}", "$foreground")
    )


def _cell(column: Column, position: int) -> tuple[str, str]:
    share = column.share(position)
    if share is not None:
        shade = min(len(_SHADES) - 1, 1 + int(share * (len(_SHADES) - 1)))
        return _SHADES[shade], _STYLES[shade]
    if column.kind == "parked":
        return _PARKED, "$spark-calm"
    return (_OFF, "") if column.kind == "off" else (_UNREACHED, "$spark-faint")


def _kind(done: RoundMark) -> str:
    if not done.is_speculating:
        return "off"
    if done.source == "context":
        return "context"
    return "speculating" if done.verified else "parked"


def _joined(columns: Sequence[Column], count: int) -> list[Column]:
    joined = []
    for start in range(0, len(columns), count):
        column = columns[start]
        for other in columns[start + 1 : start + count]:
            column = column.plus(other)
        joined.append(column)
    return joined
