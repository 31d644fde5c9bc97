"""Bars and columns out of block characters. Pure text; knows nothing of colours or what is counted."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from textual.content import Content

_EIGHTHS_RIGHT = " ▏▎▍▌▋▊▉█"
_EIGHTHS_UP = " ▁▂▃▄▅▆▇█"


def bar(fraction: float, width: int) -> str:
    """A bar from the left, exact to an eighth of a cell and padded to its width."""
    eighths = round(max(0.0, min(1.0, fraction)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS_RIGHT[rest] if rest else "")).ljust(width)


def level(fraction: float) -> str:
    """One cell filled from below; something above nothing always shows."""
    if fraction <= 0:
        return "·"
    return _EIGHTHS_UP[max(1, round(min(1.0, fraction) * 8))]


def columns(fractions: Sequence[float], rows: int) -> list[str]:
    """Columns side by side, as rows of text from the top down."""
    eighths = [max(0, round(min(1.0, fraction) * rows * 8)) for fraction in fractions]
    return [
        "".join(_EIGHTHS_UP[max(0, min(8, height - 8 * row))] for height in eighths) for row in reversed(range(rows))
    ]


def runs(cells: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Neighbouring cells of one style as one piece of text: every piece is drawn by itself."""
    return [("".join(text for text, _ in group), style) for style, group in groupby(cells, key=lambda cell: cell[1])]


def shares(parts: Sequence[float], width: int) -> tuple[int, ...]:
    """Whole cells for each part, adding up to the width exactly (largest remainders first)."""
    total = sum(parts)
    if total <= 0:
        return (0,) * len(parts)
    exact = [part / total * width for part in parts]
    cells = [int(value) for value in exact]
    by_remainder = sorted(range(len(parts)), key=lambda index: cells[index] - exact[index])
    for index in by_remainder[: width - sum(cells)]:
        cells[index] += 1
    return tuple(cells)


def round_up(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 5, 7.5 times a power of ten: a scale that holds still while values wobble."""
    if value <= 0:
        return 1.0
    power = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 0.1
    return next(step * power for step in (1, 1.5, 2, 3, 5, 7.5, 10) if step * power >= value)


def packed(pieces: Iterable[Content], width: int, *, between: str) -> list[Content]:
    lines: list[Content] = []
    for piece in pieces:
        if lines and lines[-1].cell_length + len(between) + piece.cell_length <= width:
            lines[-1] = Content.assemble(lines[-1], between, piece)
        else:
            lines += piece.wrap(width) if piece.cell_length > width > 0 else [piece]
    return lines
