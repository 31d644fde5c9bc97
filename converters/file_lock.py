"""Files and folders that say, as long as a process lives, that it is working on them. Does nothing on Windows."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl


@contextmanager
def locked_file(path: Path, *, mode: int = 0o666) -> Iterator[None]:
    """Make the file and lock it. Others may write to it; the lock ends with this block or with the process."""
    if sys.platform == "win32":  # a file that is open could not be renamed there
        yield
        return
    descriptor = _made_and_locked(path, mode)
    while not _is_named(descriptor, path):  # removed as an orphan, in the moment before it was locked
        os.close(descriptor)
        descriptor = _made_and_locked(path, mode)
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def locked_folder(path: Path) -> Iterator[None]:
    """Lock a folder that is there; the lock goes where it is renamed to."""
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _made_and_locked(path: Path, mode: int) -> int:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode)
    if sys.platform != "win32":
        with suppress(OSError):  # some network folders know no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _is_named(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def is_locked(path: Path) -> bool:
    """Also where that cannot be told."""
    if sys.platform == "win32":
        return True
    access = os.O_RDONLY if os.path.isdir(path) else os.O_RDWR
    try:
        descriptor = os.open(path, access | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
