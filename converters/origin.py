"""Where a model comes from, as far as its files say: repository, revision, name, licence, base model."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from converters import front_matter, names
from converters.checkpoint import Checkpoint
from converters.gguf_header import GgufHeader
from converters.regular_file import read_regular_text

_HUB = "https://huggingface.co/"
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_REVISION = re.compile(r"[0-9a-f]{40}")
_CACHED = re.compile(r"models--(.+?)--(.+)")
_DOWNLOADED = Path(".cache") / "huggingface" / "download" / "config.json.metadata"


@dataclass(frozen=True, slots=True)
class Origin:
    name: str
    repository: str = ""
    """On Hugging Face: "Qwen/Qwen3-4B"; empty where nothing says it."""
    revision: str = ""
    """The commit of that repository."""
    license: str = ""
    base_model: str = ""
    """The repository it was made from."""


def checkpoint_origin(checkpoint: Checkpoint, *, is_draft: bool = False) -> Origin:
    """A draft's config began as a copy of its target's, so that is whose name it may have kept."""
    folder = Path(os.path.realpath(checkpoint.folder))  # pathlib raises RuntimeError where links go in circles
    named = "" if is_draft else _named_in_config(checkpoint)
    repository = _cached_repository(folder) or (named if is_repository(named) else "")
    card = front_matter.read(folder / "README.md")
    return Origin(
        name=(repository or named).rstrip("/").rsplit("/", 1)[-1] or folder.name,
        repository=repository,
        revision=_revision(folder),
        license=front_matter.field(card, "license"),
        base_model=front_matter.field(card, "base_model"),
    )


def gguf_origin(header: GgufHeader, path: Path) -> Origin:
    def said(key: str) -> str:
        value = header.metadata.get(key)
        return value if isinstance(value, str) else ""

    return Origin(name=said(names.NAME) or path.stem, repository=said(names.SOURCE_REPOSITORY))


def is_repository(text: str) -> bool:
    return bool(_REPOSITORY.fullmatch(text))


def url_of(repository: str) -> str:
    return _HUB + repository


def _named_in_config(checkpoint: Checkpoint) -> str:
    stated = checkpoint.config.raw("_name_or_path")
    return stated if isinstance(stated, str) else ""


def _cached_repository(folder: Path) -> str:
    """In the hub's own cache the folders say it: models--Qwen--Qwen3-4B/snapshots/<commit>."""
    found = _CACHED.fullmatch(folder.parent.parent.name) if folder.parent.name == "snapshots" else None
    return f"{found[1]}/{found[2]}" if found else ""


def _revision(folder: Path) -> str:
    if folder.parent.name == "snapshots":
        return folder.name if _REVISION.fullmatch(folder.name) else ""
    try:
        first = read_regular_text(folder / _DOWNLOADED).split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return first if _REVISION.fullmatch(first) else ""
