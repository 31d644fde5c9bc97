"""What the hub's API says, as types: an answer is read into these, or refused in a sentence.

https://huggingface.co/docs/hub/api: /api/models/{repository}?blobs=true and /api/models?search=...
"""

from typing import Annotated, TypeVar

import msgspec

from sparkdesk.hub.repository import FoundModel, HubFile, Repository
from sparkdesk.hub.transport import NoSense
from sparkdesk.hub_layout import is_repository, is_revision

_Size = Annotated[int, msgspec.Meta(ge=0, le=2**60)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Word = Annotated[str, msgspec.Meta(max_length=200)]
_Answer = TypeVar("_Answer")


class _Lfs(msgspec.Struct):
    sha256: str
    size: _Size


class _Sibling(msgspec.Struct):
    rfilename: str
    size: _Size | None = None
    blob_id: str | None = msgspec.field(name="blobId", default=None)
    lfs: _Lfs | None = None


class _ModelInfo(msgspec.Struct):
    id: str
    sha: str | None = None
    siblings: list[_Sibling] | None = None
    gated: bool | _Word | None = None


class _Gguf(msgspec.Struct):
    architecture: _Word | None = None


class _Config(msgspec.Struct):
    architectures: list[_Word] | None = None


class _SearchRow(msgspec.Struct):
    id: str
    tags: list[str] | None = None
    downloads: _Count | None = None
    gated: bool | _Word | None = None
    gguf: _Gguf | None = None
    config: _Config | None = None


def read_repository(answer: bytes, asked: str) -> Repository:
    """Raises NoSense, and BrokenDownload for a file that could not lie in the cache."""
    info = _decode(answer, _ModelInfo)
    if not is_repository(info.id):
        raise NoSense(f"it names a repository {info.id[:100]!r}")
    if not info.sha or not is_revision(info.sha):
        raise NoSense(f"it names no revision of {asked}")
    files = tuple(_file(sibling) for sibling in info.siblings or ())
    return Repository(info.id, info.sha, files, is_gated=bool(info.gated))


def read_search(answer: bytes, most: int) -> tuple[FoundModel, ...]:
    """A row that makes no sense is left out; raises NoSense where none does."""
    rows = _decode(answer, list[msgspec.Raw])
    found = [model for row in rows[:most] if (model := _found_model(row)) is not None]
    if rows and not found:
        raise NoSense("no model in it can be read")
    return tuple(found)


def _decode(answer: bytes | msgspec.Raw, type_: type[_Answer]) -> _Answer:
    try:
        return msgspec.json.decode(answer, type=type_)
    except msgspec.ValidationError as error:
        raise NoSense(str(error)) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise NoSense("it is not the JSON of a hub") from None


def _file(sibling: _Sibling) -> HubFile:
    if sibling.lfs is not None:
        return HubFile(sibling.rfilename, sibling.lfs.size, sibling.lfs.sha256)
    return HubFile(sibling.rfilename, sibling.size or 0, sibling.blob_id or "")


def _found_model(row: msgspec.Raw) -> FoundModel | None:
    try:
        info = _decode(row, _SearchRow)
    except NoSense:
        return None
    if not is_repository(info.id):
        return None
    if info.gguf is not None and info.gguf.architecture:
        architectures: tuple[str, ...] = (info.gguf.architecture,)
    else:
        architectures = tuple(info.config.architectures or ()) if info.config is not None else ()
    return FoundModel(info.id, architectures, tuple(info.tags or ()), info.downloads or 0, bool(info.gated))
