"""The words of one Markdown block, with what is emphasized, struck, code or a link."""

import re
from collections.abc import Iterable

from markdown_it.token import Token
from textual.content import Content, Span

from sparkdesk.safe_text import safe_text

_STYLES = {
    "em_open": "italic",
    "strong_open": "bold",
    "s_open": "strike",
    "link_open": "underline $secondary",
}
_CODE = "bold $spark-calm"
_SPACES = re.compile(r"\s+")


def inline(tokens: Iterable[Token]) -> Content:
    """Children of an `inline` token. Links keep their words and, where these differ, their address."""
    text: list[str] = []
    spans: list[Span] = []
    opened: list[tuple[str, int, str]] = []
    length = 0

    def add(words: str, style: str = "") -> None:
        nonlocal length
        words = safe_text(words)  # not before: entities and addresses spell out control characters too
        if style:
            spans.append(Span(length, length + len(words), style))
        text.append(words)
        length += len(words)

    for token in tokens:
        match token.type:
            case "text":
                add(_SPACES.sub(" ", token.content))
            case "softbreak":
                add(" ")
            case "hardbreak":
                add("\n")
            case "formula":
                add(token.content, "italic")
            case "code_inline":
                add(token.content, _CODE)
            case "image":
                add(f"[image: {token.content or token.attrs.get('src', '')}]", "italic")
            case "em_open" | "strong_open" | "s_open" | "link_open":
                opened.append((_STYLES[token.type], length, str(token.attrs.get("href", ""))))
            case "em_close" | "strong_close" | "s_close" | "link_close" if opened:
                style, start, address = opened.pop()
                spans.append(Span(start, length, style))
                if address and address != "".join(text)[start:].removeprefix("mailto:"):
                    add(f" ({address})", "$spark-quiet")
            case _:
                add(token.content)
    return Content("".join(text), spans)
