"""GGUF headers, read once: kept in the cache folder by path, size and time of change."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from converters.gguf_rules import check_values
from converters.gguf_types import BadHeader, GgufHeader
from converters.regular_file import read_regular_text
from sparkdesk.atomic_file import write_whole
from sparkdesk.errors import ModelLoadError
from sparkdesk.gguf.header import ArrayLength, GgufFile, Scalar, TensorPlace, peek_gguf
from sparkdesk.library.files import FoundFile

FORMAT = 2
_MOST_BYTES = 64 << 20
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
        stamp = [file.size_bytes, file.mtime_ns]
        if isinstance(kept, dict) and kept.get("stamp") == stamp:
            try:
                found = _kept(file, kept)
                self._used[key] = kept
                return found
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
                pass  # a cache is believed no more than the file itself
        self._used[key] = kept = {"stamp": stamp, **_looked_at(file.path)}
        return _kept(file, kept)

    def save(self) -> None:
        """Keep what was asked for; headers of files that went away are forgotten."""
        if self._used != self._known:
            with contextlib.suppress(OSError):  # a full disk costs a second next time
                write_whole(self._cache_file, json.dumps({"format": FORMAT, "files": self._used}) + "\n")


def _read(cache_file: Path) -> dict[str, dict[str, Any]]:
    try:
        content = json.loads(read_regular_text(cache_file, _MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return {}
    files = content.get("files")
    return files if isinstance(files, dict) else {}


def _looked_at(path: Path) -> dict[str, Any]:
    try:
        header = peek_gguf(path)
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


def _kept(file: FoundFile, kept: Mapping[str, Any]) -> GgufFile | str:
    """Raises ValueError and its like where the cache holds what no header says."""
    if "problem" in kept:
        return _text(kept["problem"])
    metadata = {_text(name): _unpacked(value) for name, value in kept["metadata"].items()}
    tensors = {place.name: place for place in (_place(file, *each) for each in kept["tensors"])}
    check_values(GgufHeader(metadata, tensors))
    return GgufFile(file.path, metadata, tensors)


def _place(file: FoundFile, name: str, shape: list[int], kind: int, offset: int, size_bytes: int) -> TensorPlace:
    numbers = (*shape, kind, offset, size_bytes)
    if any(type(number) is not int or number < 0 for number in numbers) or offset + size_bytes > file.size_bytes:
        raise BadHeader("has a tensor that does not lie in the file")
    return TensorPlace(_text(name), tuple(shape), kind, offset, size_bytes)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise BadHeader("has a name that is not a text")
    return value


def _unpacked(value: Any) -> Scalar | ArrayLength:
    if isinstance(value, dict):
        numbers = tuple(value["numbers"])
        if type(value["count"]) is not int or not all(isinstance(each, int | float) for each in numbers):
            raise BadHeader("has an array that holds no numbers")
        return ArrayLength(value["count"], numbers)
    if not isinstance(value, int | float | str):
        raise BadHeader("has a value of no type that a header knows")
    return value
