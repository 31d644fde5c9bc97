"""A Markdown table as lines that fit a width."""

from collections.abc import Sequence

from markdown_it.tree import SyntaxTreeNode
from textual.content import Content

from sparkdesk.ui.chat.markdown.inline import inline

_NARROWEST = 3
_RULE = "$spark-faint"


def table_lines(table: SyntaxTreeNode, width: int) -> list[Content]:
    rows = [[_cell(cell) for cell in row.children] for part in table.children for row in part.children]
    count = max(map(len, rows))
    aligns = [_align(cell) for cell in table.children[0].children[0].children]
    room = max(count * _NARROWEST, width - 3 * (count - 1))
    widths = _fitted(
        [max(row[column].cell_length for row in rows if column < len(row)) for column in range(count)], room
    )
    lines: list[Content] = []
    for number, row in enumerate(rows):
        padded = [*row, *[Content("")] * (count - len(row))]
        lines += _row_lines(padded, widths, [*aligns, *["left"] * (count - len(aligns))], is_head=number == 0)
        if number == 0:
            lines.append(Content.styled("─┼─".join("─" * each for each in widths), _RULE))
    return lines


def _cell(cell: SyntaxTreeNode) -> Content:
    return inline(cell.children[0].to_tokens()[0].children or ()) if cell.children else Content("")


def _align(cell: SyntaxTreeNode) -> str:
    style = str(cell.attrs.get("style", ""))
    return style.removeprefix("text-align:") if style else "left"


def _fitted(wanted: Sequence[int], room: int) -> list[int]:
    """What each column wants; where that is too much, the widest give way first."""
    widths = [max(_NARROWEST, each) for each in wanted]
    while sum(widths) > room and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths


def _row_lines(row: Sequence[Content], widths: Sequence[int], aligns: Sequence[str], *, is_head: bool) -> list[Content]:
    cells = [cell.wrap(width) or [Content("")] for cell, width in zip(row, widths, strict=True)]
    lines = []
    for number in range(max(map(len, cells))):
        parts = [
            _placed(cell[number] if number < len(cell) else Content(""), width, align)
            for cell, width, align in zip(cells, widths, aligns, strict=True)
        ]
        line = Content.styled(" │ ", _RULE).join(part.stylize("bold") if is_head else part for part in parts)
        lines.append(line)
    return lines


def _placed(cell: Content, width: int, align: str) -> Content:
    free = max(0, width - cell.cell_length)
    left = {"right": free, "center": free // 2}.get(align, 0)
    return cell.pad_left(left).pad_right(free - left)
