"""Opens what a user, a scan or a folder of ours names, and only where it is a file.

A pipe nobody writes to would hold the program up for ever, a device would never end, and opening one can do things.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_KINDS = (
    (stat.S_ISFIFO, "a pipe, not a file"),
    (stat.S_ISSOCK, "a socket, not a file"),
    (stat.S_ISCHR, "a device, not a file"),
    (stat.S_ISBLK, "a device, not a file"),
)
_NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
SMALL_BYTES = 16 << 20
"""More than any file of settings, state or description takes."""


class NotRegular(OSError):
    """There is something of that name, but it is not a file; `strerror` says what it is."""


class TooLarge(OSError):
    """The file is larger than anything of its kind."""


def check_regular(path: Path, found: os.stat_result | None = None) -> None:
    """Raises OSError: NotRegular, IsADirectoryError, or what the system says where there is nothing to look at."""
    mode = (path.stat() if found is None else found).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    for is_kind, words in _KINDS:
        if is_kind(mode):
            raise NotRegular(errno.EINVAL, words, str(path))


def open_regular(path: Path) -> BinaryIO:
    """For reading. Raises OSError; looks before it opens, and again afterwards, when the name can no longer change."""
    check_regular(path)
    descriptor = os.open(path, os.O_RDONLY | _NO_WAITING)
    try:
        check_regular(path, os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, most_bytes: int = SMALL_BYTES) -> bytes:
    """All of a file. Raises OSError, TooLarge where it has more than that, also while it grows."""
    with open_regular(path) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise TooLarge(errno.EFBIG, f"larger than {most_bytes:,} bytes", str(path))
    return content


def read_regular_text(path: Path, most_bytes: int = SMALL_BYTES) -> str:
    """The same as text; a byte order mark is left out. Raises UnicodeDecodeError too."""
    return read_regular(path, most_bytes).decode("utf-8-sig")
