"""Pieces side by side, as many to a line as there is room for. Pure; one is broken only where it has no room alone."""

from collections.abc import Iterable

from textual.content import Content


def packed(pieces: Iterable[Content], width: int, *, between: str) -> list[Content]:
    lines: list[Content] = []
    for piece in pieces:
        if lines and lines[-1].cell_length + len(between) + piece.cell_length <= width:
            lines[-1] = Content.assemble(lines[-1], between, piece)
        else:
            lines += piece.wrap(width) if piece.cell_length > width > 0 else [piece]
    return lines
