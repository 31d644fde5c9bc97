"""The few lines of YAML at the head of a model card. Enough of the language for what is asked of it."""

import re
from pathlib import Path

from converters.regular_file import read_regular

_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*$", re.DOTALL | re.MULTILINE)


def read(path: Path) -> str:
    try:
        text = read_regular(path).decode("utf-8", "replace")
    except OSError:  # a card is no reason to fail
        return ""
    found = _FRONT_MATTER.search(text)
    return found.group(1) if found else ""


def field(text: str, name: str) -> str:
    """A field's value, or the first item where it is a list."""
    found = re.search(rf"^{name}:[ \t]*(?:\n\s*-[ \t]*)?(\S.*)$", text, re.MULTILINE)
    return found.group(1).strip(" \"'[]") if found else ""
