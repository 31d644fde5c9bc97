"""The output file: written beside its final place, and moved there only when it is whole."""

import ctypes
import errno
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

from converters.errors import CannotWrite
from converters.file_lock import is_locked, locked_file

_SPARE_BYTES = 64 * 1024 * 1024  # for headers and whatever else the system writes meanwhile


def check_output(out: Path, needed_bytes: int, *, overwrite: bool) -> None:
    """Refuse before the work what would fail after it."""
    if out.is_dir():
        raise CannotWrite(f"{out} is a folder.", hint="Name a file in it, such as model.gguf.")
    if out.exists() and not overwrite:
        raise CannotWrite(f"{out} exists already.", hint="Choose another name or allow overwriting.")
    if not out.parent.is_dir():
        raise CannotWrite(f"The folder {out.parent} does not exist.", hint="Make it first, or choose another.")
    if not os.access(out.parent, os.W_OK):
        raise CannotWrite(f"The folder {out.parent} cannot be written to.", hint="Choose another folder.")
    _remove_orphans(out)
    free_bytes = shutil.disk_usage(out.parent).free
    if free_bytes < needed_bytes + _SPARE_BYTES:
        raise CannotWrite(
            f"{out.parent} has {free_bytes / 1e9:.1f} GB free and the conversion "
            f"needs {(needed_bytes + _SPARE_BYTES) / 1e9:.1f} GB.",
            hint="Free some space, or choose another folder or a smaller type.",
        )


@contextmanager
def unfinished_file(out: Path) -> Iterator[Path]:
    """A file in the output's folder under a name of its own; it is gone at the end unless it was moved away."""
    part = out.parent / f".{out.name}.{uuid4().hex[:8]}.part"
    try:
        with locked_file(part):
            yield part
    except OSError as error:
        raise _explained(error, out) from error
    finally:
        with suppress(OSError):
            part.unlink()


def finish(part: Path, out: Path) -> None:
    """Make the whole file appear under its own name at once."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(part, out)
    _sync_folder(out.parent)


def reserve(file: IO[bytes], size_bytes: int) -> None:
    """Take the room for the whole file at once, where the system can: it cannot run out later, and writing is faster.

    Not with os.posix_fallocate, which writes a byte into every block of a file system that knows no better.
    """
    if sys.platform != "linux":
        return
    fallocate = ctypes.CDLL(None, use_errno=True).fallocate64
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    file.flush()
    if fallocate(file.fileno(), 0, 0, size_bytes) != 0 and ctypes.get_errno() in _FULL:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


_FULL = (errno.ENOSPC, errno.EDQUOT)


def _remove_orphans(out: Path) -> None:
    """What conversions to the same file left behind when they were killed; a running one holds a lock on its own."""
    pattern = re.compile(rf"\.{re.escape(out.name)}\.[0-9a-f]{{8}}\.part")
    for path in out.parent.iterdir():
        if pattern.fullmatch(path.name) and not is_locked(path):
            with suppress(OSError):
                path.unlink()


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explained(error: OSError, out: Path) -> CannotWrite:
    if error.errno in _FULL:
        return CannotWrite(f"{out.parent} has no space left for {out.name}.", hint="Free some space and convert again.")
    return CannotWrite(f"{out} could not be written: {error.strerror or error}.", hint="Choose another folder.")
