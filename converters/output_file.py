"""The output file: written beside its final place, and moved there only when it is whole."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from converters.errors import CannotWrite

_SPARE_BYTES = 64 * 1024 * 1024  # for headers and whatever else the system writes meanwhile


def check_output(out: Path, needed_bytes: int, *, overwrite: bool) -> None:
    """Refuse before the work what would fail after it."""
    if out.exists() and not overwrite:
        raise CannotWrite(f"{out} exists already.", hint="Choose another name or allow overwriting.")
    if not out.parent.is_dir():
        raise CannotWrite(f"The folder {out.parent} does not exist.")
    if not os.access(out.parent, os.W_OK):
        raise CannotWrite(f"The folder {out.parent} cannot be written to.")
    free_bytes = shutil.disk_usage(out.parent).free
    if free_bytes < needed_bytes + _SPARE_BYTES:
        raise CannotWrite(
            f"{out.parent} has {free_bytes / 1e9:.1f} GB free and the conversion "
            f"needs {(needed_bytes + _SPARE_BYTES) / 1e9:.1f} GB."
        )


@contextmanager
def unfinished_file(out: Path) -> Iterator[Path]:
    """A name in the output's folder; whatever was written there is gone at the end."""
    part = out.parent / f".{out.name}.{uuid4().hex[:8]}.part"
    try:
        yield part
    except OSError as error:
        raise _explained(error, out) from error
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def finish(part: Path, out: Path) -> None:
    """Make the whole file appear under its own name at once."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(part, out)
    _sync_folder(out.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explained(error: OSError, out: Path) -> CannotWrite:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return CannotWrite(f"{out.parent} has no space left for {out.name}.", hint="Free some space and convert again.")
    return CannotWrite(f"{out} could not be written: {error.strerror or error}.")
