"""Compares what is on the screen, characters and styles, with what was there when somebody last looked at it.

A snapshot is a text file in tests/ui/snapshots: the characters, then for every cell a letter for its style, then what
the letters mean. Nothing of it depends on fonts, on the clock or on how quickly things are drawn. To accept what the
screen looks like now, and to look at the difference with git:

    SPARKDESK_RENEW_SNAPSHOTS=1 python -m pytest tests/ui/test_snapshots.py
"""

import difflib
import os
import string
from pathlib import Path

from rich.style import Style

from tests.ui.harness import Harness

FOLDER = Path(__file__).parent / "snapshots"
RENEW_VARIABLE = "SPARKDESK_RENEW_SNAPSHOTS"
_LETTERS = string.ascii_letters + string.digits + "".join(map(chr, range(0xC0, 0x180)))
_LOOKS_ALIKE, _MOST_LOOKS = 12, 200


async def assert_snapshot(harness: Harness, name: str) -> None:
    """The name says what is seen; the size is added."""
    size = harness.app.size
    path = FOLDER / f"{name}-{size.width}x{size.height}.txt"
    seen = await _settled(harness)
    if os.environ.get(RENEW_VARIABLE):
        path.write_text(seen, encoding="utf-8")
        return
    assert path.is_file(), f"There is no {path.name} yet: set {RENEW_VARIABLE}=1 to make it, and look at it."
    kept = path.read_text(encoding="utf-8")
    if seen != kept:
        difference = difflib.unified_diff(kept.splitlines(), seen.splitlines(), path.name, "now", lineterm="", n=1)
        raise AssertionError(
            f"{path.name} looks different (if it should: {RENEW_VARIABLE}=1)\n" + "\n".join(difference)
        )


async def _settled(harness: Harness) -> str:
    """As soon as it stays the same for a while: some of it comes from threads, or after a moment."""
    before, same_count = "", 0
    for _ in range(_MOST_LOOKS):
        await harness.pilot.pause(0.05)
        seen = picture(harness)
        same_count = same_count + 1 if seen == before else 0
        if same_count == _LOOKS_ALIKE:
            return seen
        before = seen
    raise AssertionError(f"The screen does not come to rest:\n{before}")


def picture(harness: Harness) -> str:
    letters: dict[str, str] = {}
    texts, styles = [], []
    for strip in harness.app.screen._compositor.render_strips():
        texts.append(strip.text.rstrip())
        row = ""
        for text, style, _ in strip:
            letter = letters.setdefault(_in_words(style), _LETTERS[min(len(letters), len(_LETTERS) - 1)])
            row += letter * len(text)
        styles.append(row)
    legend = [f"{letter}: {words}" for words, letter in letters.items()]
    return "\n".join((*texts, "", *styles, "", *legend, ""))


def _in_words(style: Style | None) -> str:
    if style is None:
        return "plain"
    marks = [name for name in ("bold", "dim", "italic", "underline", "strike", "reverse") if getattr(style, name)]
    colours = [f"{colour.name}" for colour in (style.color, style.bgcolor) if colour is not None]
    return " ".join((*marks, " on ".join(colours))) or "plain"
