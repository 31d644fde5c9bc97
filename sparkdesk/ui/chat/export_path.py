"""Where an export goes when nobody says otherwise, and what is wrong with where it is to go."""

import os
import re
from pathlib import Path

MARKDOWN, JSON = "markdown", "json"
ENDINGS = {MARKDOWN: ".md", JSON: ".json"}
_LONGEST_NAME = 48


def suggested_path(title: str, form: str, *, home: Path, here: Path) -> Path:
    """A file that does not exist yet, in the user's documents where there is such a folder."""
    documents = home / "Documents"
    folder = documents if documents.is_dir() and os.access(documents, os.W_OK) else here
    name = file_name(title)
    path = folder / f"{name}{ENDINGS[form]}"
    number = 2
    while path.exists():
        path = folder / f"{name}-{number}{ENDINGS[form]}"
        number += 1
    return path


def file_name(title: str) -> str:
    """The title as every file system takes it, without an ending."""
    words = re.findall(r"\w+", title.lower())
    name = "-".join(words)[:_LONGEST_NAME].rstrip("-")
    return name or "conversation"


def other_ending(given: str, form: str) -> str:
    """The same path for the other form, where it has an ending of ours."""
    for ending in ENDINGS.values():
        if given.endswith(ending):
            return given.removesuffix(ending) + ENDINGS[form]
    return given


def why_not_there(path: Path) -> str:
    """Why nothing can be written to `path`, in a sentence; empty when it can. An existing file is no reason."""
    if path.is_dir():
        return f"{path} is a folder: add a file name."
    if not path.parent.is_dir():
        return f"There is no folder {path.parent}."
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        return f"You may not write to {path}."
    return ""
