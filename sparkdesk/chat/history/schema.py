"""The history's database: its tables, how it is opened, and what is done with one that cannot be used."""

import os
import sqlite3
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from converters.regular_file import check_regular, open_regular
from sparkdesk.atomic_file import PRIVATE_FILE, make_private_folder
from sparkdesk.errors import HistoryError
from sparkdesk.safe_text import safe_line

VERSION = 1
"""Kept in user_version. A later one adds a step to `_STEPS`, through which earlier databases are brought up to date."""

REPAIR = "Save what can be read: sparkdesk history repair."
_NOT_KEPT = "Conversations are not kept."
SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""The second where an error's own message quotes damaged bytes."""
_MOST_REASON = 200
_CIRCUMSTANCES = frozenset((3, 5, 6, 7, 8, 10, 13, 14, 23))
"""SQLite's primary result codes: no permission, busy, locked, out of memory, read-only, I/O, full, not to be opened."""
BUSY_SECONDS = 5.0
"""How long to wait for another desk that is writing."""

_STEPS = (
    """
    CREATE TABLE conversation (
        key INTEGER PRIMARY KEY,
        title TEXT NOT NULL DEFAULT '',
        first_words TEXT NOT NULL DEFAULT '',
        settings TEXT NOT NULL,
        shown TEXT NOT NULL DEFAULT '[]',
        message_count INTEGER NOT NULL DEFAULT 0,
        model TEXT NOT NULL DEFAULT '',
        changed_at REAL NOT NULL,
        deleted_at REAL
    );
    CREATE INDEX conversation_by_age ON conversation (changed_at DESC) WHERE deleted_at IS NULL;
    CREATE TABLE message (
        row INTEGER PRIMARY KEY,
        conversation INTEGER NOT NULL REFERENCES conversation (key) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        parent INTEGER,
        role TEXT NOT NULL,
        content TEXT NOT NULL,
        about TEXT NOT NULL,
        trace BLOB,
        UNIQUE (conversation, number)
    );
    CREATE VIRTUAL TABLE words USING fts5 (
        content, content = 'message', content_rowid = 'row', tokenize = 'unicode61 remove_diacritics 2'
    );
    CREATE TRIGGER message_added AFTER INSERT ON message BEGIN
        INSERT INTO words (rowid, content) VALUES (new.row, new.content);
    END;
    CREATE TRIGGER message_removed AFTER DELETE ON message BEGIN
        INSERT INTO words (words, rowid, content) VALUES ('delete', old.row, old.content);
    END;
    CREATE TRIGGER message_changed AFTER UPDATE OF content ON message WHEN old.content <> new.content BEGIN
        INSERT INTO words (words, rowid, content) VALUES ('delete', old.row, old.content);
        INSERT INTO words (rowid, content) VALUES (new.row, new.content);
    END;
    """,
)


def open_database(path: Path, *, wait_s: float = BUSY_SECONDS) -> sqlite3.Connection:
    """The database, made where there is none and readable by its owner only.

    Raises HistoryError: DamagedHistory where the file is none of ours or broken.
    """
    try:
        make_private_folder(path.parent)
        _check_files(path)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE))
        connection = connected(os.fspath(path), wait_s=wait_s)
    except (OSError, *SQLITE_ERRORS) as error:
        raise HistoryError(f"{path} cannot be opened: {reason_of(error)}.", _NOT_KEPT) from error
    try:
        if _is_cut_short(path):  # SQLite would go on, and write into what is left
            raise DamagedHistory(f"{path} is cut short.", REPAIR)
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(path: Path) -> sqlite3.Connection | None:
    """The database where it can be read and not written: a full disk, a folder that may not be changed.

    None where it cannot be read either. Without room for its shared index, SQLite reads what was written last only
    where it has the file to itself; where that fails too, it is read as it was when it was last put in order.
    """
    for options, pragma in (("?mode=ro", ""), ("?mode=rw", "locking_mode = EXCLUSIVE"), ("?immutable=1", "")):
        try:
            _check_files(path)
            connection = connected(f"file:{quote(os.fsencode(path))}{options}", wait_s=0.2, is_uri=True)
        except (OSError, *SQLITE_ERRORS):
            continue
        try:
            if pragma:
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("PRAGMA query_only = ON")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute("SELECT count(*) FROM (SELECT 1 FROM conversation LIMIT 1)").fetchone()
            if version == VERSION:
                return connection
        except SQLITE_ERRORS:
            pass
        connection.close()
    return None


def _check_files(path: Path) -> None:
    """All that SQLite opens beside a database too, where a pipe would be waited for. Raises OSError."""
    for ending in ("", "-journal", "-wal", "-shm"):
        beside = Path(f"{path}{ending}")
        if os.path.lexists(beside):
            check_regular(beside)


def connected(name: str, *, wait_s: float, is_uri: bool = False) -> sqlite3.Connection:
    """What is not UTF-8 in it is read all the same. Raises sqlite3.Error."""
    connection = sqlite3.connect(name, timeout=wait_s, isolation_level=None, check_same_thread=False, uri=is_uri)
    connection.text_factory = lambda data: str(data, "utf-8", "replace")
    connection.create_function("folded", 1, _folded, deterministic=True)  # SQLite folds ASCII only
    return connection


def _folded(value: object) -> str:
    return value.casefold() if isinstance(value, str) else ""


def is_damage(error: Exception) -> bool:
    """Whether the file is wrong, not the place it is in or the moment."""
    return isinstance(error, UnicodeDecodeError) or getattr(error, "sqlite_errorcode", 1) & 0xFF not in _CIRCUMSTANCES


class DamagedHistory(HistoryError):
    """The file is no database, or a broken one."""


def set_aside(path: Path) -> Path:
    """Rename a database that cannot be read, with what belongs to it; returns its new name."""
    aside = path.with_name(f"{path.stem}-damaged-{datetime.now():%Y%m%d-%H%M%S}{path.suffix}")
    Path(f"{path}-shm").unlink(missing_ok=True)
    if (log := Path(f"{path}-wal")).exists():  # what was said last is in it
        log.rename(f"{aside}-wal")
    path.rename(aside)
    return aside


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    try:
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")
        _bring_up_to_date(connection, path)
    except SQLITE_ERRORS as error:
        if is_damage(error):
            raise DamagedHistory(f"{path} is damaged: {reason_of(error)}.", REPAIR) from error
        raise HistoryError(f"{path} cannot be used: {reason_of(error)}.", _NOT_KEPT) from error


def _is_cut_short(path: Path) -> bool:
    """Whether it has fewer pages than its header says. Source: the SQLite file format, section 1.3.7."""
    try:
        with open_regular(path) as file:
            head, size_bytes = file.read(100), os.fstat(file.fileno()).st_size
    except OSError:
        return False
    is_counted = len(head) == 100 and head[24:28] == head[92:96]  # the count is of the last change
    page_bytes, pages = int.from_bytes(head[16:18], "big"), int.from_bytes(head[28:32], "big")
    return 0 < len(head) < 100 or (is_counted and size_bytes < pages * (65536 if page_bytes == 1 else page_bytes))


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise HistoryError(
            f"{path} was written by a newer SparkDesk.", "Update SparkDesk; until then, conversations are not kept."
        )
    if version == VERSION:
        connection.execute("SELECT count(*) FROM (SELECT 1 FROM conversation LIMIT 1)").fetchone()
        return
    connection.execute("BEGIN IMMEDIATE")  # two desks may open it for the first time at once
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for step in _STEPS[version:]:
            for statement in _statements(step):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """executescript would commit in between."""
    statements, begun = [], ""
    for line in script.splitlines():
        begun += line + "\n"
        if sqlite3.complete_statement(begun):
            statements.append(begun)
            begun = ""
    return statements


def reason_of(error: Exception) -> str:
    """In one line: SQLite quotes what it read."""
    if isinstance(error, UnicodeDecodeError):
        return "its description is not text"
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(safe_line(said).split())[:_MOST_REASON].rstrip(".")
