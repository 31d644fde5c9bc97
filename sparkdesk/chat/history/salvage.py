"""Reads what can be read of a database whose pages are partly damaged: row by row, where the whole fails."""

import errno
import mmap
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from converters.regular_file import open_regular
from sparkdesk.chat.history.pages import rows_in_pages
from sparkdesk.chat.history.schema import SQLITE_ERRORS

Row = tuple[object, ...]
_KEYS = (
    "SELECT key FROM conversation",
    "SELECT key FROM conversation ORDER BY key DESC",
    "SELECT key FROM conversation INDEXED BY conversation_by_age WHERE deleted_at IS NULL ORDER BY changed_at DESC",
    "SELECT DISTINCT conversation FROM message",
    "SELECT DISTINCT conversation FROM message ORDER BY conversation DESC",
    "SELECT conversation FROM message NOT INDEXED",
    "SELECT conversation FROM message NOT INDEXED ORDER BY row DESC",
)
"""Ways to the same keys, through different pages."""
_WAYS = (
    "WHERE conversation = ?",
    "WHERE conversation = ? ORDER BY number DESC",
    "NOT INDEXED WHERE conversation = ?",
    "NOT INDEXED WHERE conversation = ? ORDER BY row DESC",
)
"""Through the index from both ends, and through the table from both ends; until one gets through."""
_MESSAGE = "number, parent, role, content, about, trace"
_PIECE_BYTES = 1 << 20
MOST_CONVERSATIONS = 1_000_000


def keys_in(connection: sqlite3.Connection) -> list[int]:
    """Every conversation that some page still names."""
    found: set[int] = set()
    for statement in _KEYS:
        with suppress(*SQLITE_ERRORS):
            for (key,) in connection.execute(statement):
                if isinstance(key, int) and len(found) < MOST_CONVERSATIONS:
                    found.add(key)
    return sorted(found)


def rows_in(connection: sqlite3.Connection, columns: str, keys: Sequence[int]) -> Iterator[Row]:
    """Of the table `conversation`, those that can be read."""
    for key in keys:
        with suppress(*SQLITE_ERRORS):
            found = connection.execute(f"SELECT {columns} FROM conversation WHERE key = ?", (key,)).fetchone()
            if found is not None:
                yield found


@dataclass(slots=True)
class Pages:
    """What lies in a file's pages, whether or not the database still leads to it."""

    conversations: dict[int, Row] = field(default_factory=dict)
    """By key: title, settings, shown, changed_at, deleted_at."""
    messages: dict[int, dict[object, Row]] = field(default_factory=dict)
    """By conversation and row: number, parent, role, content, about, trace."""


def read_pages(path: Path) -> Pages:
    """Raises OSError."""
    found = Pages()
    with open_regular(path) as file:
        if not os.fstat(file.fileno()).st_size:
            return found
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for row, values in rows_in_pages(data, data_stretches(file)):
                match values:
                    case (
                        None,
                        str(title),
                        str(),
                        str(settings),
                        str(shown),
                        int(),
                        str(),
                        int() | float() as when,
                        gone,
                    ):
                        found.conversations.setdefault(row, (title, settings, shown, when, gone))
                    case (None, int(key), int(), int() | None, str(), str(), str(), bytes() | None):
                        found.messages.setdefault(key, {}).setdefault(row, values[2:])
    return found


def copy_with_holes(source: Path, copy: Path) -> None:
    """What is a hole stays one: a file of a few kilobytes can say that it has terabytes. Raises OSError."""
    with open_regular(source) as file, copy.open("wb") as written:
        for first, end in data_stretches(file):
            file.seek(first)
            written.seek(first)
            while (left := end - file.tell()) > 0 and (piece := file.read(min(left, _PIECE_BYTES))):
                written.write(piece)
        written.truncate(os.fstat(file.fileno()).st_size)


def data_stretches(file: BinaryIO) -> list[tuple[int, int]]:
    """First byte and end of what is not a hole; all of it where the system does not say."""
    size, at = os.fstat(file.fileno()).st_size, 0
    found: list[tuple[int, int]] = []
    if not hasattr(os, "SEEK_DATA"):
        return [(0, size)] if size else []
    while at < size:
        try:
            first = os.lseek(file.fileno(), at, os.SEEK_DATA)
        except OSError as error:
            return found if error.errno == errno.ENXIO else [(0, size)]
        at = os.lseek(file.fileno(), first, os.SEEK_HOLE)
        found.append((first, at))
    return found


def messages_in(connection: sqlite3.Connection, key: int, pages: Pages) -> list[Row]:
    """Of one conversation, in the order of their numbers; those that cannot be read are missing."""
    found: dict[object, Row] = {}
    for way in _WAYS:
        with suppress(*SQLITE_ERRORS):
            for row, *said in connection.execute(f"SELECT row, {_MESSAGE} FROM message {way}", (key,)):
                found.setdefault(row, tuple(said))
            break
    found = pages.messages.get(key, {}) | found
    return sorted(
        found.values(), key=lambda said: (not isinstance(said[0], int), said[0] if isinstance(said[0], int) else 0)
    )
