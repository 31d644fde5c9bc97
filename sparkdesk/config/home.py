"""The folders of one user put in order at a start: nobody else reads them, and what killed writers left is gone."""

import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from converters.file_lock import is_locked
from sparkdesk.atomic_file import PRIVATE_FILE, PRIVATE_FOLDER, remove_temporaries
from sparkdesk.config.paths import Paths

_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}\.part")
_HISTORY_ENDINGS = ("", "-wal", "-shm")


def put_in_order(paths: Paths) -> None:
    """Never fails: what cannot be mended here is said by whoever needs it, and by `sparkdesk doctor`."""
    for folder in _folders(paths):
        _narrow(folder, PRIVATE_FOLDER)
        remove_temporaries(folder)
    _remove_unfinished(paths.models)
    for file in _files(paths):
        _narrow(file, PRIVATE_FILE)


def widely_readable(paths: Paths) -> tuple[Path, ...]:
    """Those of our files and folders that other users of this machine may open."""
    found = [*_folders(paths), *_files(paths)]
    return tuple(path for path in found if (mode := _mode(path)) is not None and mode & 0o077)


def _remove_unfinished(models: Path) -> None:
    """Conversions that were killed, and first starts; those that run hold a lock on what they write."""
    with suppress(OSError):
        folders = [models, *(Path(e.path) for e in os.scandir(models) if e.is_dir(follow_symlinks=False))]
        for folder in folders:
            with suppress(OSError):
                found = [Path(e.path) for e in os.scandir(folder) if _UNFINISHED.fullmatch(e.name)]
                for path in (each for each in found if not is_locked(each)):
                    if path.is_dir():
                        shutil.rmtree(path, ignore_errors=True)
                    else:
                        path.unlink()


def _folders(paths: Paths) -> tuple[Path, ...]:
    return (paths.config, paths.data, paths.state, paths.cache, paths.logs, paths.learned, paths.runs)


def _files(paths: Paths) -> Iterator[Path]:
    """Settings, conversations, state and logs; model files are nobody's secret, and may be large and many."""
    yield from (Path(f"{paths.history_file}{ending}") for ending in _HISTORY_ENDINGS)
    for folder in (*_folders(paths)[:1], *_folders(paths)[2:]):
        with suppress(OSError):
            yield from sorted(Path(entry.path) for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False))
    with suppress(OSError):  # histories that were set aside or repaired
        stem = paths.history_file.stem
        yield from sorted(Path(e.path) for e in os.scandir(paths.data) if e.name.startswith(f"{stem}-"))


def _mode(path: Path) -> int | None:
    """None where there is nothing, or where it is not this user's."""
    if sys.platform == "win32":
        return None
    try:
        found = path.lstat()
    except (OSError, ValueError):
        return None
    is_ours = found.st_uid == os.geteuid() and (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode))
    return stat.S_IMODE(found.st_mode) if is_ours else None


def _narrow(path: Path, most: int) -> None:
    mode = _mode(path)
    if mode is not None and mode & ~most & 0o777:
        with suppress(OSError):
            os.chmod(path, mode & most)
