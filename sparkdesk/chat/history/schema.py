"""The history's database: its tables, how it is opened, and what is done with one that cannot be used."""

import os
import sqlite3
from datetime import datetime
from pathlib import Path

from sparkdesk.errors import HistoryError

VERSION = 1
"""Kept in user_version. A later one adds a step to `_STEPS`, through which earlier databases are brought up to date."""

_BUSY_SECONDS = 5.0
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


def open_database(path: Path) -> sqlite3.Connection:
    """The database, made where there is none and readable by its owner only.

    Raises HistoryError: DamagedHistory where the file is none of ours or broken.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise HistoryError(f"{path} cannot be opened: {_reason(error)}.", "Conversations are not kept.") from error
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


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
        connection.create_function("folded", 1, str.casefold, deterministic=True)  # SQLite folds ASCII only
        _bring_up_to_date(connection, path)
    except sqlite3.OperationalError as error:
        raise HistoryError(f"{path} cannot be used: {_reason(error)}.", "Conversations are not kept.") from error
    except sqlite3.DatabaseError as error:
        raise DamagedHistory(f"{path} is damaged: {_reason(error)}.", "Conversations are not kept.") from error


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


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).rstrip(".")
