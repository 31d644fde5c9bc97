"""The history on the disk: one SQLite file that several desks may have open at once."""

import json
import sqlite3
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sparkdesk.chat.history import rows
from sparkdesk.chat.history.export import exported
from sparkdesk.chat.history.kept import Kept, title_of
from sparkdesk.chat.history.memory import GONE
from sparkdesk.chat.history.salvage import keys_in, rows_in
from sparkdesk.chat.history.schema import (
    BUSY_SECONDS,
    REPAIR,
    SQLITE_ERRORS,
    DamagedHistory,
    is_damage,
    open_database,
    open_to_read,
    reason_of,
)
from sparkdesk.chat.history.searching import find
from sparkdesk.chat.messages import Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.summary import Found, Summary
from sparkdesk.chat.tree import MessageTree
from sparkdesk.errors import HistoryError

_LEFT_BEHIND_SECONDS = 3600.0
"""What was deleted that long ago by a program that never came to purge it, nobody will undelete."""
_LATEST_SECONDS = 4e9
_MOST_MESSAGES = 1 << 31
_MOST_KEYS = 1 << 40
_SUMMARY = "key, CASE title WHEN '' THEN first_words ELSE title END, changed_at, message_count, model"


@dataclass(frozen=True, slots=True)
class _Known:
    """What the file held of a conversation when it was last read or written here."""

    changed_at: float = 0.0
    messages: Mapping[int, Message] = field(default_factory=dict)


_NOTHING = _Known()


class SqliteHistory:
    """Raises HistoryError where the disk or the file says no; one connection, one thread at a time."""

    def __init__(self, path: Path, *, wait_s: float = BUSY_SECONDS) -> None:
        """Waits that long for another program. Opens for reading only where that is all that can be done."""
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[int, _Known] = {}
        self._own_titles: dict[int, str] = {}
        self._deleted: set[int] = set()
        self.not_kept = ""
        """Why nothing can be kept in it; empty where it can."""
        self.damaged = 0
        """Conversations that the last list had to leave out."""
        try:
            self._connection = open_database(path, wait_s=wait_s)
        except DamagedHistory:
            raise
        except HistoryError as error:
            connection = open_to_read(path)
            if connection is None:
                raise
            self._connection, self.not_kept = connection, str(error)
        else:
            self._purge()

    def keep(self, key: int | None, tree: MessageTree, settings: ChatSettings) -> int | None:
        """Write what is new or changed of a conversation; returns its key, None for one in which nothing was said.

        Where another desk said something else in it meanwhile, it becomes a conversation of its own: neither overwrites
        the other's words.
        """
        now = {number: (node.message, node.parent) for number, node in tree.nodes()}
        is_new = False
        with self._transaction() as connection:
            title = self.own_title(key)
            written = self._still_there(connection, key)
            if not now:
                connection.execute("DELETE FROM conversation WHERE key = ?", (key if written is not None else None,))
                return None
            if key is None or written is None:
                key, written, is_new = _added(connection, title), {}, True
            gone = [(key, number) for number in written if number not in now]
            connection.executemany("DELETE FROM message WHERE conversation = ? AND number = ?", gone)
            for number, (message, parent) in now.items():
                if written.get(number) is not message:
                    _write(connection, key, number, message, parent)
            changed_at = _describe(connection, key, tree, settings)
            if is_new:
                self._check_written(
                    connection, key, {n: rows.storable(message.content) for n, (message, _) in now.items()}
                )
        self._own_titles[key] = title
        self._known[key] = _Known(changed_at, {number: message for number, (message, _) in now.items()})
        self._deleted.discard(key)
        return key

    def own_title(self, key: int | None) -> str:
        """The title that the user gave it; empty where there is none. Known of what was read or written here."""
        return self._own_titles.get(key, "") if key is not None else ""

    def read(self, key: int) -> Kept:
        """The whole conversation."""
        with self._reading() as connection:
            found = connection.execute(
                "SELECT title, settings, shown, changed_at FROM conversation WHERE key = ? AND deleted_at IS NULL",
                (key,),
            ).fetchone()
            if found is None:
                raise HistoryError(GONE, "Choose another one.")
            said = connection.execute(
                "SELECT number, parent, role, content, about, trace FROM message WHERE conversation = ?"
                " ORDER BY number",
                (key,),
            ).fetchall()
            title, settings, shown, changed_at = found
            try:
                tree = rows.tree_of(said, shown)
            except ValueError as error:
                raise HistoryError(f"Conversation {key} is damaged: {error}.", REPAIR) from error
            kept = Kept(tree, rows.settings_of(settings), rows.text_of(title))
            self._own_titles[key] = kept.title
            self._known[key] = _Known(changed_at, {number: node.message for number, node in tree.nodes()})
        return kept

    def newest(self, limit: int = 200) -> Sequence[Summary]:
        """What is damaged is left out, and counted in `damaged`."""
        with self._reading() as connection:
            try:
                found = connection.execute(
                    f"SELECT {_SUMMARY} FROM conversation WHERE deleted_at IS NULL"
                    " ORDER BY changed_at DESC, key DESC LIMIT ?",
                    (limit,),
                ).fetchall()
                self.damaged = 0
            except SQLITE_ERRORS as error:
                if not is_damage(error):
                    raise
                keys = keys_in(connection)
                found = list(rows_in(connection, f"{_SUMMARY}, deleted_at", keys))
                self.damaged = len(keys) - len(found)
                found = [row[:-1] for row in found if row[-1] is None]
            summaries = sorted(map(_summary, found), key=lambda each: (each.changed_at, each.key), reverse=True)
            return tuple(summaries[:limit])

    def search(self, text: str, limit: int = 50) -> Sequence[Found]:
        with self._reading() as connection:
            places = find(connection, text, limit)
            summaries = _summaries(connection, list(places))
            return tuple(Found(summaries[key], *place) for key, place in places.items() if key in summaries)

    def saved_ms(self) -> float:
        """What speculation won against plain decoding in all replies kept here; negative when it lost."""
        with self._reading() as connection:
            found = connection.execute(
                "SELECT json_extract(about, '$.stats') FROM message"
                " JOIN conversation ON conversation.key = message.conversation"
                " WHERE role = 'assistant' AND deleted_at IS NULL AND typeof(about) = 'text'"
                " AND CASE WHEN json_valid(about) THEN json_extract(about, '$.stats.verified') > 0 ELSE 0 END"
            )
            return sum(rows.stats_of(text).saved_by_speculation_ms for (text,) in found)

    def rename(self, key: int, title: str) -> None:
        title = rows.storable(" ".join(title.split()))
        with self._transaction() as connection:
            connection.execute("UPDATE conversation SET title = ? WHERE key = ?", (title, key))
        self._own_titles[key] = title

    def delete(self, key: int) -> None:
        with self._transaction() as connection:
            connection.execute("UPDATE conversation SET deleted_at = ? WHERE key = ?", (time.time(), key))
        self._deleted.add(key)

    def undelete(self, key: int) -> None:
        with self._transaction() as connection:
            connection.execute("UPDATE conversation SET deleted_at = NULL WHERE key = ?", (key,))
        self._deleted.discard(key)

    def export(self, key: int, form: str) -> str:
        return exported(self.read(key), form=form)

    def close(self) -> None:
        """What was deleted is gone for good."""
        try:
            if self._deleted:
                with self._transaction() as connection:
                    for key in self._deleted:
                        connection.execute("DELETE FROM conversation WHERE key = ? AND deleted_at IS NOT NULL", (key,))
                with self._transaction() as connection:  # on its own: it merges what is committed, so no word stays
                    connection.execute("INSERT INTO words (words) VALUES ('optimize')")
        except HistoryError:
            pass  # the next one to open the file does it
        with self._lock:  # or it would be closed under a thread that reads
            self._connection.close()

    def _check_written(self, connection: sqlite3.Connection, key: int, wanted: Mapping[int, str]) -> None:
        """In a file whose pages are damaged, what was just written may be somewhere else, or not there."""
        there = dict(connection.execute("SELECT number, content FROM message WHERE conversation = ?", (key,)))
        if there != wanted:
            raise HistoryError(f"The history {self._path} is damaged and takes nothing new.", REPAIR)

    def _purge(self) -> None:
        """What was deleted long ago; a full disk is no reason not to read."""
        with suppress(HistoryError), self._transaction() as connection:
            limit = time.time() - _LEFT_BEHIND_SECONDS
            connection.execute("DELETE FROM conversation WHERE deleted_at < ?", (limit,))

    def _still_there(self, connection: sqlite3.Connection, key: int | None) -> Mapping[int, Message] | None:
        """The messages of a conversation that need not be written again; None where there is none to add to."""
        if key is None:
            return None
        found = connection.execute("SELECT changed_at FROM conversation WHERE key = ?", (key,)).fetchone()
        known = self._known.get(key, _NOTHING)
        if found is None or found[0] == known.changed_at:
            return None if found is None else known.messages
        there = connection.execute("SELECT number, content FROM message WHERE conversation = ?", (key,))
        ours = _texts(known.messages)
        return {} if all(ours.get(number) == content for number, content in there) else None

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection, None, None]:
        with self._lock:
            try:
                yield self._connection
            except SQLITE_ERRORS as error:
                reason = f"The history {self._path} cannot be read: {reason_of(error)}."
                raise HistoryError(reason, _hint(error)) from error
            except (ValueError, KeyError, TypeError) as error:
                raise HistoryError(f"The history {self._path} holds a conversation that makes no sense.") from error

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection, None, None]:
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except SQLITE_ERRORS as error:
                reason = f"The history {self._path} cannot be written: {reason_of(error)}."
                raise HistoryError(reason, _hint(error)) from error


def _texts(messages: Mapping[int, Message]) -> dict[int, str]:
    """As the file has them."""
    return {number: rows.storable(message.content) for number, message in messages.items()}


def _added(connection: sqlite3.Connection, title: str) -> int:
    """Under a number that no message has: in a damaged file, some may belong to none that is there."""
    (highest,) = connection.execute(
        "SELECT max(coalesce((SELECT max(key) FROM conversation WHERE key < ?1), 0),"
        " coalesce((SELECT max(conversation) FROM message WHERE conversation < ?1), 0))",
        (_MOST_KEYS,),
    ).fetchone()
    key = int(highest) + 1
    connection.execute(
        "INSERT INTO conversation (key, title, settings, changed_at) VALUES (?, ?, '{}', 0)", (key, title)
    )
    return key


def _write(connection: sqlite3.Connection, key: int, number: int, message: Message, parent: int | None) -> None:
    connection.execute(
        "INSERT INTO message (conversation, number, parent, role, content, about, trace)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (conversation, number) DO UPDATE SET"
        " content = excluded.content, about = excluded.about, trace = excluded.trace",
        (key, number, parent, *rows.message_row(message)),
    )


def _describe(connection: sqlite3.Connection, key: int, tree: MessageTree, settings: ChatSettings) -> float:
    """What lists show, kept with the conversation so that lists need not read it; returns when it was changed.

    One that is talked in is not deleted any more, whoever deleted it.
    """
    shown, changed_at = tree.shown, time.time()
    model = next((tree.message(n).model for n in reversed(shown) if tree.message(n).model), "")
    connection.execute(
        "UPDATE conversation SET settings = ?, first_words = ?, shown = ?, message_count = ?, model = ?,"
        " changed_at = ?, deleted_at = NULL WHERE key = ?",
        (
            rows.settings_text(settings),
            rows.storable(title_of(tree)),
            json.dumps(tree.shown_leaves()),
            len(shown),
            rows.storable(model),
            changed_at,
            key,
        ),
    )
    return changed_at


def _summary(row: Sequence[object]) -> Summary:
    """Whatever the row holds."""
    key, title, changed_at, message_count, model = row
    assert isinstance(key, int), "the table's own number"
    count = message_count if isinstance(message_count, int) and 0 <= message_count < _MOST_MESSAGES else 0
    return Summary(key, rows.text_of(title), _date(changed_at), count, rows.text_of(model))


def _date(seconds: object) -> datetime:
    """The beginning of 1970 where it is none."""
    is_sane = isinstance(seconds, int | float) and 0 <= seconds < _LATEST_SECONDS
    return datetime.fromtimestamp(seconds if is_sane else 0, UTC)  # type: ignore[arg-type]  # a number, if sane


def _summaries(connection: sqlite3.Connection, keys: Sequence[int]) -> dict[int, Summary]:
    marks = ", ".join("?" * len(keys))
    found = connection.execute(
        f"SELECT {_SUMMARY} FROM conversation WHERE deleted_at IS NULL AND key IN ({marks})", tuple(keys)
    )
    return {row[0]: _summary(row) for row in found}


def _hint(error: Exception) -> str:
    said = str(error)
    if "full" in said:
        return "Make room on the disk; until then, what is said is not kept."
    if "locked" in said:
        return "Another program holds it; close it and try again."
    if is_damage(error):
        return REPAIR
    return "What is said now is not kept."
