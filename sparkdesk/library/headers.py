"""GGUF headers, read once: kept in the cache folder by path, size and time of change."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparkdesk.atomic_file import write_whole
from sparkdesk.errors import ModelLoadError
from sparkdesk.gguf.glance import glance_gguf
from sparkdesk.gguf.header import ArrayLength, GgufFile, Scalar, TensorPlace
from sparkdesk.library.files import FoundFile

FORMAT = 1
_LONGEST_TEXT = 200  # a chat template is nothing the library asks for


class Headers:
    """Reads headers, and remembers them in one file; a cache that is missing or broken is an empty one."""

    def __init__(self, cache_file: Path) -> None:
        self._cache_file = cache_file
        self._known = _read(cache_file)
        self._used: dict[str, dict[str, Any]] = {}

    def read(self, file: FoundFile) -> GgufFile | str:
        """The header, or the sentence that says why there is none."""
        key = str(file.path)
        kept = self._known.get(key)
        if kept is None or kept["stamp"] != [file.size_bytes, file.mtime_ns]:
            kept = {"stamp": [file.size_bytes, file.mtime_ns], **_looked_at(file.path)}
        self._used[key] = kept
        return kept["problem"] if "problem" in kept else _header(file.path, kept)

    def save(self) -> None:
        """Keep what was asked for; headers of files that went away are forgotten."""
        if self._used != self._known:
            with contextlib.suppress(OSError):  # a full disk costs a second next time
                write_whole(self._cache_file, json.dumps({"format": FORMAT, "files": self._used}) + "\n")


def _read(cache_file: Path) -> dict[str, dict[str, Any]]:
    try:
        content = json.loads(cache_file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return {}
    files = content.get("files")
    return files if isinstance(files, dict) else {}


def _looked_at(path: Path) -> dict[str, Any]:
    try:
        header = glance_gguf(path)
    except ModelLoadError as error:
        return {"problem": error.message}
    metadata = {name: _packed(value) for name, value in header.metadata.items() if not _is_long(value)}
    tensors = [[place.name, place.shape, place.ggml_type, place.offset, place.size_bytes] for place in _places(header)]
    return {"metadata": metadata, "tensors": tensors}


def _places(header: GgufFile) -> list[TensorPlace]:
    return list(header.tensors.values())


def _is_long(value: Scalar | ArrayLength) -> bool:
    return isinstance(value, str) and len(value) > _LONGEST_TEXT


def _packed(value: Scalar | ArrayLength) -> object:
    return {"count": value.count, "numbers": value.numbers} if isinstance(value, ArrayLength) else value


def _header(path: Path, kept: Mapping[str, Any]) -> GgufFile:
    metadata = {name: _unpacked(value) for name, value in kept["metadata"].items()}
    places = (
        TensorPlace(name, tuple(shape), kind, offset, size) for name, shape, kind, offset, size in kept["tensors"]
    )
    return GgufFile(path, metadata, {place.name: place for place in places})


def _unpacked(value: Any) -> Scalar | ArrayLength:
    if isinstance(value, dict):
        return ArrayLength(value["count"], tuple(value["numbers"]))
    scalar: Scalar = value
    return scalar
