"""A model in several files, `name-00001-of-00003.gguf` and so on: its parts, and all of it as one header."""

import re
from dataclasses import replace
from pathlib import Path

from sparkdesk.gguf.header import GgufFile, peek_gguf

PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
_MOST_PARTS = 1000


def glance_model(path: Path) -> GgufFile:
    """The header of a model by its first part, with the tensors of all its parts, whose places are in their own files.

    Raises ModelLoadError where a part is missing or cannot be read.
    """
    first = peek_gguf(path)
    named = PART.fullmatch(path.name)
    count = int(named["count"]) if named is not None else 1
    if named is None or not 1 < count == first.whole_number("split.count") <= _MOST_PARTS:
        return first
    suffix = path.name[len(named["stem"]) + len("-00001-of-00001") :]
    others = [path.with_name(f"{named['stem']}-{i:05}-of-{count:05}{suffix}") for i in range(2, count + 1)]
    return joined([first, *(peek_gguf(other) for other in others)])


def joined(parts: list[GgufFile]) -> GgufFile:
    """The first part's metadata with all parts' tensors; their places are those in their own files."""
    first, *others = parts
    if not others:
        return first
    return replace(first, tensors={name: place for part in parts for name, place in part.tensors.items()})
