"""Saves what can be read of a damaged history: every conversation into a new file, the old one set aside.

Histories that were set aside before are read too, and their conversations added. Nothing is deleted.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from converters.regular_file import check_regular
from sparkdesk.chat.history import rows
from sparkdesk.chat.history.kept import Kept
from sparkdesk.chat.history.salvage import Pages, copy_with_holes, keys_in, messages_in, read_pages, rows_in
from sparkdesk.chat.history.schema import SQLITE_ERRORS, DamagedHistory, connected, open_database, set_aside
from sparkdesk.chat.history.sqlite import SqliteHistory
from sparkdesk.chat.messages import Message
from sparkdesk.chat.tree import MessageTree
from sparkdesk.errors import HistoryError

_COLUMNS = "title, settings, shown, changed_at, deleted_at"
_ENDINGS = ("", "-wal")
# Of a file's first page: what every history of ours has there. Source: the SQLite file format, section 1.3.
_HEADER = b"SQLite format 3\0" + bytes((0x10, 0, 2, 2, 0, 64, 32, 32))
_FORMATS = ((44, (4).to_bytes(4, "big")), (56, (1).to_bytes(4, "big")))  # schema format 4, UTF-8


@dataclass(frozen=True, slots=True)
class Repaired:
    """What came of it."""

    conversations: int
    """In the history now, out of those that were damaged or set aside."""
    messages: int
    lost: int
    """Conversations of which nothing could be read."""
    incomplete: int
    """Conversations that lack messages, or whose messages lost their order."""
    aside: tuple[Path, ...]
    """The old files."""


@dataclass(frozen=True, slots=True)
class _Saved:
    kept: Kept
    changed_at: float
    is_whole: bool


def repair(path: Path) -> Repaired | None:
    """None where nothing is damaged and nothing was set aside. Raises HistoryError."""
    try:
        older = sorted(path.parent.glob(f"{path.stem}-damaged-*{path.suffix}"))
        is_damaged = os.path.lexists(path) and not _is_whole(path)
        if not older and not is_damaged:
            return None
        saved, lost = [], 0
        for source in [path, *older] if is_damaged else older:
            found, missing = _read(source)
            saved += found
            lost += missing
        if is_damaged:
            older.append(set_aside(path))
        with closing(SqliteHistory(path)) as history:
            for each in saved:
                _add(path, history, each)
        aside = tuple(_renamed(each) for each in older)
    except OSError as error:
        raise HistoryError(f"The history {path} cannot be repaired: {error.strerror or error}.") from error
    messages = sum(1 for each in saved for _ in each.kept.tree.nodes())
    return Repaired(len(saved), messages, lost, sum(not each.is_whole for each in saved), aside)


def _is_whole(path: Path) -> bool:
    """By SQLite's own check, and by reading every conversation. Raises HistoryError for a file that is not ours."""
    check_regular(path)
    try:
        with closing(open_database(path)) as connection:
            if connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
                return False
            for (key,) in connection.execute("SELECT key FROM conversation").fetchall():
                if not _saved(connection, key, Pages()).is_whole:
                    return False
    except DamagedHistory:
        return False
    except (*SQLITE_ERRORS, ValueError):
        return False
    return True


def _read(source: Path) -> tuple[list[_Saved], int]:
    """From a copy: reading brings a database up to date with its log, and a broken header is mended."""
    with tempfile.TemporaryDirectory(dir=source.parent, prefix=".repair-") as folder:
        copy = Path(folder) / source.name
        for ending in _ENDINGS:
            with suppress(FileNotFoundError):
                copy_with_holes(Path(f"{source}{ending}"), Path(f"{copy}{ending}"))
        saved = _from(copy)
        if saved is None:
            _mend_header(copy)
            saved = _from(copy)
        if saved is None:
            with closing(connected(":memory:", wait_s=0.0)) as nothing:
                saved = _all_saved(nothing, read_pages(copy))
    return saved


def _from(copy: Path) -> tuple[list[_Saved], int] | None:
    """The conversations and how many could not be read; None where SQLite does not take it for a database."""
    try:
        with closing(connected(os.fspath(copy), wait_s=1.0)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            with suppress(*SQLITE_ERRORS):
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return _all_saved(connection, read_pages(copy))
    except SQLITE_ERRORS:
        return None


def _all_saved(connection: sqlite3.Connection, pages: Pages) -> tuple[list[_Saved], int]:
    keys = sorted({*keys_in(connection), *pages.conversations, *pages.messages})
    saved = []
    for key in keys:
        with suppress(ValueError, *SQLITE_ERRORS):
            saved.append(_saved(connection, key, pages))
    return [each for each in saved if each.kept.tree.shown], len(keys) - len(saved)


def _saved(connection: sqlite3.Connection, key: int, pages: Pages) -> _Saved:
    """Raises ValueError where nothing was said that can be read."""
    said, is_whole = messages_in(connection, key, pages), True
    about = next(rows_in(connection, _COLUMNS, [key]), None) or pages.conversations.get(key)
    title, settings, shown, changed_at, deleted_at = about or ("", "", "", 0.0, None)
    if deleted_at is not None:
        return _Saved(Kept(MessageTree(), rows.settings_of(""), ""), 0.0, True)
    try:
        tree = rows.tree_of(said, shown)
    except ValueError:
        tree, is_whole = _in_a_line(said), False
    if not tree.shown and said:
        raise ValueError("nothing in it can be read")
    is_time = isinstance(changed_at, int | float) and 0 <= changed_at < 4e9
    kept = Kept(tree, rows.settings_of(settings), rows.text_of(title))
    return _Saved(kept, float(changed_at) if is_time else 0.0, is_whole and about is not None and is_time)  # type: ignore[arg-type]


def _in_a_line(said: Sequence[tuple[object, ...]]) -> MessageTree:
    """What is left, each message where it was as far as that is known, else after the one before it."""
    tree, known, last = MessageTree(), set[int](), None
    for number, message, parent in _readable(said):
        if number in known:
            continue
        parent = parent if parent in known else last
        tree.put(number, message, parent)
        known.add(number)
        last = number
    if last is not None:
        tree.show(last)
    return tree


def _readable(said: Sequence[tuple[object, ...]]) -> Iterator[tuple[int, Message, int | None]]:
    """Those without a number of their own come last, and get one."""
    free = 1 + max((each[0] for each in said if type(each[0]) is int), default=0)
    for place, (number, parent, *row) in enumerate(said):
        with suppress(ValueError):
            message = rows.message_of(*row)
            yield (
                number if isinstance(number, int) and number >= 0 else free + place,
                message,
                parent if isinstance(parent, int) else None,
            )


def _add(path: Path, history: SqliteHistory, saved: _Saved) -> None:
    key = history.keep(None, saved.kept.tree, saved.kept.settings)
    if key is None:
        return
    if saved.kept.title:
        history.rename(key, saved.kept.title)
    with closing(connected(os.fspath(path), wait_s=5.0)) as connection, suppress(*SQLITE_ERRORS):
        connection.execute("UPDATE conversation SET changed_at = ? WHERE key = ?", (saved.changed_at, key))


def _mend_header(copy: Path) -> None:
    with copy.open("r+b") as file:
        file.write(_HEADER)
        for place, value in _FORMATS:
            file.seek(place)
            file.write(value)


def _renamed(aside: Path) -> Path:
    """So that it is not read again the next time."""
    mended = aside.with_name(aside.name.replace("-damaged-", "-repaired-"))
    for ending in _ENDINGS:
        with suppress(FileNotFoundError):
            Path(f"{aside}{ending}").rename(f"{mended}{ending}")
    return mended
