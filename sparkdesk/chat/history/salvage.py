"""Reads what can be read of a database whose pages are partly damaged: row by row, where the whole fails."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from converters.regular_file import read_regular
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
_MOST_BYTES = 1 << 31
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
    for row, values in rows_in_pages(read_regular(path, _MOST_BYTES)):
        match values:
            case (None, str(title), str(), str(settings), str(shown), int(), str(), int() | float() as when, gone):
                found.conversations.setdefault(row, (title, settings, shown, when, gone))
            case (None, int(key), int(), int() | None, str(), str(), str(), bytes() | None):
                found.messages.setdefault(key, {}).setdefault(row, values[2:])
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
