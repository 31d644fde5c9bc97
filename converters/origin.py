"""Where a model comes from, as far as its files say: repository, revision, name, licence, base model."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from converters import names
from converters.checkpoint import Checkpoint
from converters.gguf_types import GgufHeader
from converters.names import Entry, text, u32
from converters.regular_file import read_regular, read_regular_text

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
    card = read(folder / "README.md")
    return Origin(
        name=(repository or named).rstrip("/").rsplit("/", 1)[-1] or folder.name,
        repository=repository,
        revision=_revision(folder),
        license=field(card, "license"),
        base_model=field(card, "base_model"),
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


_SIZE = re.compile(r"(?:^|[-_ ])(\d+(?:\.\d+)?[BbMm])(?=$|[-_ ])")


def origin_entries(checkpoint: Checkpoint) -> tuple[Entry, ...]:
    """Of a target."""
    origin = checkpoint_origin(checkpoint)
    return (*_entries(origin), *_naming(origin.name), *_base_model(origin.base_model))


def draft_origin_entries(checkpoint: Checkpoint, target: Origin, *, kind: str, trained_for: str) -> tuple[Entry, ...]:
    """Of a draft, whose base model is its target; `trained_for` is how the draft itself calls that.

    Where nothing says its repository it is named after its target: people call the folder anything.
    """
    found = checkpoint_origin(checkpoint, is_draft=True)
    origin = found if found.repository else replace(found, name=f"{target.name}-{kind}")
    said = next((each for each in (trained_for, origin.base_model, target.repository) if is_repository(each)), "")
    return (*_entries(origin), text(names.BASENAME, origin.name), *_base_model(said, name=target.name))


def _entries(origin: Origin) -> Iterator[Entry]:
    yield text(names.TYPE, "model")
    yield text(names.NAME, origin.name)
    if origin.license:
        yield text(names.LICENSE, origin.license)
    if origin.repository:
        yield text(names.ORGANIZATION, origin.repository.split("/")[0])
        yield text(names.SOURCE_URL, url_of(origin.repository))
        yield text(names.SOURCE_REPOSITORY, origin.repository)
    if origin.revision:
        yield text(names.SOURCE_REVISION, origin.revision)


def _naming(name: str) -> Iterator[Entry]:
    """Qwen3-8B-Base is of the series Qwen3 and of size 8B."""
    size = _SIZE.search(name)
    yield text(names.BASENAME, name[: size.start()] if size and size.start() else name)
    if size:
        yield text(names.SIZE_LABEL, size[1].upper())


def _base_model(repository: str, name: str = "") -> Iterator[Entry]:
    if not repository and not name:
        return
    yield u32(names.BASE_MODEL_COUNT, 1)
    yield text(names.BASE_MODEL_NAME, repository.rsplit("/", 1)[-1] or name)
    if is_repository(repository):
        yield text(names.BASE_MODEL_ORGANIZATION, repository.split("/")[0])
        yield text(names.BASE_MODEL_URL, url_of(repository))
