"""Walks the places and finds GGUF files: every file once, split models together, unfinished ones apart."""

import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sparkdesk import hub_layout
from sparkdesk.gguf.parts import PART
from sparkdesk.library.model import Partial
from sparkdesk.library.model_dirs import HUB, OURS, Place

STALE_SECONDS = 3600.0
"""An unfinished file this old belongs to a process that died, where nothing tells who writes to it."""
_MOST_DEPTH = 8
_UNFINISHED = {OURS: "**/*.part", HUB: hub_layout.ALL_PARTIALS}


@dataclass(frozen=True, slots=True)
class FoundFile:
    path: Path
    place: Place
    size_bytes: int
    mtime_ns: int
    identity: tuple[int, int]
    """Device and inode: the same for all names of the same bytes."""


@dataclass(frozen=True, slots=True)
class FoundModel:
    """The files of one model, in order."""

    name: str
    files: tuple[FoundFile, ...]
    missing: tuple[int, ...] = ()
    """Numbers of the parts that are not there."""
    part_count: int = 1

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def find_models(places: Iterable[Place]) -> tuple[FoundModel, ...]:
    """Symbolic and hard links to a file that was met before are passed over."""
    seen: set[tuple[int, int]] = set()
    files = []
    for file in (file for place in places for file in _gguf_files(place)):
        if file.identity not in seen:
            seen.add(file.identity)
            files.append(file)
    return tuple(_together(files))


def find_partials(places: Iterable[Place], *, now_s: float | None = None) -> tuple[Partial, ...]:
    """What our conversions and the hub's downloads have not finished."""
    now_s = time.time() if now_s is None else now_s
    return tuple(partial for place in places if place.kind in _UNFINISHED for partial in _partials(place, now_s=now_s))


def _gguf_files(place: Place) -> Iterator[FoundFile]:
    tops = place.folder.glob(hub_layout.ALL_SNAPSHOTS) if place.kind == HUB else [place.folder]
    for path in (path for top in sorted(tops) for path in _walk(top)):
        if path.name.lower().endswith(".gguf"):
            try:
                found = path.stat()  # follows links: the hub's snapshots are made of them
            except OSError:
                continue  # a link to nothing, or a file that went away meanwhile
            if not stat.S_ISREG(found.st_mode):
                continue  # a pipe, a socket or a device of that name
            yield FoundFile(path, place, found.st_size, found.st_mtime_ns, (found.st_dev, found.st_ino))


def _walk(folder: Path, depth: int = 0) -> Iterator[Path]:
    """Files below `folder`, hidden and unreadable folders left out, in order of their names."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if depth < _MOST_DEPTH:
                yield from _walk(Path(entry.path), depth + 1)
        else:
            yield Path(entry.path)


def _together(files: Iterable[FoundFile]) -> Iterator[FoundModel]:
    split: dict[tuple[Path, str, int], dict[int, FoundFile]] = {}
    for file in files:
        part = PART.fullmatch(file.path.name)
        if part is None:
            yield FoundModel(_name(file.path), (file,))
        else:
            key = (file.path.parent, part["stem"], int(part["count"]))
            split.setdefault(key, {})[int(part["number"])] = file
    for (_, stem, count), parts in split.items():
        missing = tuple(number for number in range(1, count + 1) if number not in parts)
        yield FoundModel(stem, tuple(parts[number] for number in sorted(parts)), missing, count)


def _name(path: Path) -> str:
    """The stem; where that says nothing, with the folder's name."""
    return f"{path.parent.name}/{path.stem}" if path.stem.lower() in ("target", "draft", "model") else path.stem


def _partials(place: Place, *, now_s: float) -> Iterator[Partial]:
    inside: list[Path] = []
    for path in sorted(place.folder.glob(_UNFINISHED[place.kind])):
        if any(folder in path.parents for folder in inside):
            continue
        try:
            size_bytes, written_s = _size_and_time(path)
        except OSError:
            continue
        inside.append(path)
        is_locked = hub_layout.is_being_written(path)
        yield Partial(path, size_bytes, place, now_s - written_s < STALE_SECONDS if is_locked is None else is_locked)


def _size_and_time(path: Path) -> tuple[int, float]:
    """Of a file, or of all files in a folder."""
    found = [each.stat() for each in (path, *(path.rglob("*") if path.is_dir() else ()))]
    return sum(each.st_size for each in found[path.is_dir() :]), max(each.st_mtime for each in found)
