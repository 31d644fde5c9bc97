"""Lines on a few rows of text: braille dots where they can be shown, asterisks elsewhere. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

Point = tuple[float, float]

_BRAILLE = 0x2800
# Bits of the eight dots of a cell, by column and then row from the top.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_LABEL_WIDTH = 8


class Canvas:
    """Dots on a grid of `width` x `height` characters; (0, 0) is at the top left."""

    def __init__(self, width: int, height: int, *, is_unicode: bool) -> None:
        self._across, self._down = (2, 4) if is_unicode else (1, 1)
        self.dots_across, self.dots_down = width * self._across, height * self._down
        self._is_unicode = is_unicode
        self._cells = [[0] * width for _ in range(height)]

    def dot(self, column: int, row: int) -> None:
        bit = _DOTS[column % self._across][row % self._down]
        self._cells[row // self._down][column // self._across] |= bit

    def line(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
        for step in range(steps + 1):
            share = step / steps
            self.dot(round(start[0] + share * (end[0] - start[0])), round(start[1] + share * (end[1] - start[1])))

    def rows(self) -> Iterator[str]:
        for cells in self._cells:
            if self._is_unicode:
                yield "".join(chr(_BRAILLE + bits) if bits else " " for bits in cells)
            else:
                yield "".join("*" if bits else " " for bits in cells)


def plot(
    curves: Mapping[str, Sequence[Point]], *, width: int, height: int, is_unicode: bool, floor: float = 0.0
) -> Iterator[str]:
    """One line a curve, its name at its right end; the axis begins at `floor`. Nothing where there are no points.

    Every line is at most `width` characters; each curve's points are sorted by their first number.
    """
    points = [point for curve in curves.values() for point in curve]
    if not points:
        return
    names_width = max(map(len, curves)) + 1
    inner = width - _LABEL_WIDTH - 2 - names_width
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    top = max(y for _, y in points)
    canvas = Canvas(inner, height, is_unicode=is_unicode)

    def place(point: Point) -> tuple[int, int]:
        across = (point[0] - left) / (right - left) if right > left else 0.0
        up = (point[1] - floor) / (top - floor) if top > floor else 0.0
        return round(across * (canvas.dots_across - 1)), round((1 - up) * (canvas.dots_down - 1))

    ends: dict[int, str] = {}
    for name, curve in curves.items():
        placed = [place(point) for point in curve]
        for start, end in pairwise(placed):
            canvas.line(start, end)
        for only in placed[:1]:
            canvas.dot(*only)
        if placed:
            _label(ends, placed[-1][1] * height // canvas.dots_down, name, height)
    bar, corner, dash = ("│", "└", "─") if is_unicode else ("|", "+", "-")
    labels = {0: f"{top:.3g}", height - 1: f"{floor:.3g}"}
    for row, text in enumerate(canvas.rows()):
        yield f"{labels.get(row, ''):>{_LABEL_WIDTH}} {bar}{text} {ends.get(row, '')}".rstrip()
    yield f"{'':>{_LABEL_WIDTH}} {corner}{dash * inner}"
    yield f"{'':>{_LABEL_WIDTH}}  {f'{left:g}':<{inner // 2}}{f'{right:g}':>{inner - inner // 2}}"


def _label(ends: dict[int, str], row: int, name: str, height: int) -> None:
    """On the row where the curve ends, or the nearest that is free."""
    free = [each for each in range(height) if each not in ends]
    if free:
        ends[min(free, key=lambda each: abs(each - row))] = name
