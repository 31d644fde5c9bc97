"""Where the tokens of a reply came from, for the eye: a style for each source, a legend, shares. Pure text."""

from collections import Counter
from collections.abc import Iterable, Sequence

from textual.content import Content

from sparkdesk.chat.trace import BONUS, DRAFTED, PLAIN, REPEATED, Stretch
from sparkdesk.ui.shared import numbers

STYLES = {
    DRAFTED: "$primary underline",
    REPEATED: "$success reverse",
    BONUS: "$spark-calm bold",
    PLAIN: "$foreground",
}
"""Each differs from the others without colour too."""
WORDS = {
    DRAFTED: "drafted and accepted",
    REPEATED: "repeated from the context",
    BONUS: "the target's own, after a draft",
    PLAIN: "plain decoding",
}


def styled_pieces(text: str, stretches: Iterable[Stretch]) -> Iterable[tuple[str, str]]:
    """The text in pieces of one origin. What no stretch accounts for is plain."""
    at = 0
    for stretch in stretches:
        if stretch.length:
            yield text[at : at + stretch.length], STYLES.get(stretch.source, STYLES[PLAIN])
            at += stretch.length
    if at < len(text):
        yield text[at:], STYLES[PLAIN]


def legend(stretches: Sequence[Stretch]) -> list[Content]:
    """One line a source that occurs, with its share of the tokens."""
    counts = Counter(stretch.source for stretch in stretches)
    total = sum(counts.values())
    return [
        Content.assemble(
            (" abc ", STYLES[source]),
            (f" {_share(counts[source], total):>5} ", "bold"),
            (words, "$spark-quiet"),
        )
        for source, words in WORDS.items()
        if counts[source]
    ]


def _share(count: int, total: int) -> str:
    """A single token of many is not none."""
    return numbers.percent(count / total) if 200 * count >= total else "< 1 %"
