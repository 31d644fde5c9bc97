"""The general.* entries of a file: what it is called and where it comes from."""

import re
from collections.abc import Iterator
from dataclasses import replace

from converters import names
from converters.checkpoint import Checkpoint
from converters.metadata import Entry, text, u32
from converters.origin import Origin, checkpoint_origin, is_repository, url_of

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
