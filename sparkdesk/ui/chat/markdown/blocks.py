"""Markdown as lines of a given width. Pure: knows neither widgets nor what is on the screen."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode
from textual.content import Content
from textual.highlight import highlight

from sparkdesk.safe_text import safe_line, safe_text
from sparkdesk.ui.chat.markdown.formulas import add_formulas
from sparkdesk.ui.chat.markdown.inline import inline
from sparkdesk.ui.chat.markdown.tables import table_lines

_HEADINGS = {"h1": "bold underline $primary", "h2": "bold $primary", "h3": "bold underline"}
_BULLETS = "•◦▪"
_CODE_GROUND = "on $panel"
_LEAST_WIDTH = 8
_DIFFS = ("diff", "patch")
_DIFF_STYLES = (("+++", "bold"), ("---", "bold"), ("+", "$success"), ("-", "$error"), ("@@", "$secondary"))
_TASKS = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}
_EMPTY = Content("")


@cache
def parser() -> MarkdownIt:
    # HTML stays visible text: dropping tags the way a browser does would swallow what the model wrote.
    return add_formulas(MarkdownIt("gfm-like", {"html": False}))


def parse(source: str, references: dict[str, object] | None = None) -> list[Token]:
    """`references` are the link addresses that other parts of the same text define."""
    return parser().parse(source, {"references": dict(references or {})})


def markdown_lines(tokens: Sequence[Token], width: int) -> list[Content]:
    """The blocks of a document, an empty line between two of them."""
    return _blocks_lines(SyntaxTreeNode(tokens).children, max(_LEAST_WIDTH, width), depth=0)


def _blocks_lines(nodes: Iterable[SyntaxTreeNode], width: int, *, depth: int, is_tight: bool = False) -> list[Content]:
    lines: list[Content] = []
    for node in nodes:
        if lines and not is_tight:
            lines.append(_EMPTY)
        lines += _block_lines(node, max(_LEAST_WIDTH, width), depth)
    return lines


def _block_lines(node: SyntaxTreeNode, width: int, depth: int) -> list[Content]:
    match node.type:
        case "paragraph":
            return _words(node).wrap(width)
        case "heading":
            return [line.stylize_before(_HEADINGS.get(node.tag, "bold")) for line in _words(node).wrap(width)]
        case "bullet_list" | "ordered_list":
            return list(_list_lines(node, width, depth))
        case "blockquote":
            inner = _blocks_lines(node.children, width - 2, depth=depth)
            return [Content.assemble(("▌ ", "$spark-faint"), line.stylize_before("$spark-quiet")) for line in inner]
        case "fence" | "code_block":
            return code_lines(node.content.rstrip("\n"), (node.info.split() or [""])[0], width)
        case "hr":
            return [Content.styled("─" * width, "$spark-faint")]
        case "table":
            return table_lines(node, width)
        case _:
            return Content(safe_text(node.content.rstrip("\n"))).wrap(width)


def code_lines(code: str, language: str, width: int) -> list[Content]:
    """Code on a ground of its own; what is too long goes on in the next line, since nothing scrolls sideways here."""
    code = safe_text(code)
    if language in _DIFFS:
        coloured = Content("\n").join(_diff_line(line) for line in code.split("\n"))
    else:
        coloured = highlight(code, language=language or "text") if code else Content("")
    lines: list[Content] = []
    if language:
        label = Content.styled(safe_line(language), "$spark-quiet").truncate(width - 2, ellipsis=True)
        lines.append(label.pad_left(max(0, width - 1 - label.cell_length)).pad_right(1).stylize_before(_CODE_GROUND))
    for line in coloured.split(allow_blank=True) or [Content("")]:
        for part in line.expand_tabs(4).fold(width - 2):
            padded = part.pad_left(1).pad_right(max(0, width - 1 - part.cell_length))
            lines.append(padded.stylize_before(_CODE_GROUND))
    return lines


def _diff_line(line: str) -> Content:
    style = next((style for mark, style in _DIFF_STYLES if line.startswith(mark)), "")
    return Content.styled(line, style)


def _list_lines(node: SyntaxTreeNode, width: int, depth: int) -> Iterator[Content]:
    number = int(node.attrs.get("start", 1))
    last = number + len(node.children) - 1
    is_tight = all(child.hidden for item in node.children for child in item.children if child.type == "paragraph")
    for position, item in enumerate(node.children):
        if position and not is_tight:
            yield _EMPTY
        if node.type == "ordered_list":
            mark = f"{number + position}. ".rjust(len(str(last)) + 2)
        else:
            mark = f"{_BULLETS[min(depth, len(_BULLETS) - 1)]} "
        mark = _task(item) or mark
        inner = _blocks_lines(item.children, width - len(mark), depth=depth + 1, is_tight=is_tight)
        for line_number, line in enumerate(inner or [_EMPTY]):
            start = (mark, "$primary") if line_number == 0 else (" " * len(mark), "")
            yield Content.assemble(start, line)


def _task(item: SyntaxTreeNode) -> str:
    """The box of an item that is a task, which is taken off its words."""
    first = item.children[0] if item.children else None
    if first is None or first.type != "paragraph" or not first.children:
        return ""
    tokens = first.children[0].to_tokens()[0].children or []
    if not tokens or tokens[0].type != "text" or tokens[0].content[:4] not in _TASKS:
        return ""
    box = _TASKS[tokens[0].content[:4]]
    tokens[0].content = tokens[0].content[4:]
    return box


def _words(node: SyntaxTreeNode) -> Content:
    return inline(node.children[0].to_tokens()[0].children or ()) if node.children else _EMPTY
