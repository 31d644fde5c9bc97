"""The log of errors nobody expected: where each happened and its class, never its text, which could hold part of a
conversation."""

import os
import platform
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from sparkdesk import __version__
from sparkdesk.atomic_file import PRIVATE_FILE, make_private_folder

NAME = "errors.log"
_MAX_BYTES = 1_000_000
_CAREFULLY = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
"""A pipe in its place would be waited for, and a link would lead to a file of somebody else's."""


def write_log(error: BaseException, folder: Path) -> Path:
    """Appends an entry to the log in `folder`, and returns the log's path. Raises OSError."""
    make_private_folder(folder)
    path = folder / NAME
    is_full = path.exists() and path.stat().st_size > _MAX_BYTES
    flags = _CAREFULLY | os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if is_full else os.O_APPEND)
    with open(os.open(path, flags, PRIVATE_FILE), "w", encoding="utf-8") as file:
        file.write(_entry(error))
    return path


def place_of(error: BaseException) -> str:
    """Class and place of what went wrong at first, such as `ValueError at prompt.py:12`; without its text."""
    *_, first = chain(error)
    frames = traceback.extract_tb(first.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(first).__name__}{place}"


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came from in turn; a worker's failure holds its cause as `error`."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        inner = getattr(following, "error", None)
        following = inner if isinstance(inner, BaseException) else following.__cause__ or following.__context__


def stacks(error: BaseException) -> str:
    """The lines of code that led to the error and to what caused it, without values."""
    each = ("".join(traceback.format_tb(one.__traceback__)) + type(one).__name__ for one in chain(error))
    return "\nfrom\n".join(each)


def _entry(error: BaseException) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S")
    what = f"sparkdesk {__version__} Python {platform.python_version()} {platform.platform()}"
    return f"{when} {what}\n{stacks(error)}\n\n"
