"""The history on the disk: one SQLite file that several desks may have open at once."""

import json
import sqlite3
import threading
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sparkdesk.chat.history import rows
from sparkdesk.chat.history.export import exported
from sparkdesk.chat.history.kept import Kept, shortened
from sparkdesk.chat.history.match import place_of
from sparkdesk.chat.history.memory import GONE
from sparkdesk.chat.history.schema import open_database
from sparkdesk.chat.messages import Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.summary import Found, Summary
from sparkdesk.chat.tree import MessageTree
from sparkdesk.errors import HistoryError

_LEFT_BEHIND_SECONDS = 3600.0
"""What was deleted that long ago by a program that never came to purge it, nobody will undelete."""
_SUMMARY = "key, CASE title WHEN '' THEN first_words ELSE title END, changed_at, message_count, model"


class SqliteHistory:
    """Raises HistoryError where the disk or the file says no; one connection, one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection = open_database(path)
        self._written: dict[int, dict[int, Message]] = {}
        """By conversation: what the file holds of messages that were written or read here."""
        self._deleted: set[int] = set()
        with self._transaction() as connection:
            limit = time.time() - _LEFT_BEHIND_SECONDS
            connection.execute("DELETE FROM conversation WHERE deleted_at < ?", (limit,))

    def keep(self, key: int | None, tree: MessageTree, settings: ChatSettings) -> int:
        """Write what is new or changed of a conversation; returns its key."""
        with self._transaction() as connection:
            key = _conversation(connection, key, settings)
            written = self._written.get(key, {})
            now = {number: (node.message, node.parent) for number, node in tree.nodes()}
            gone = [number for number in written if number not in now]
            new = {number: said for number, said in now.items() if written.get(number) is not said[0]}
            connection.executemany(
                "DELETE FROM message WHERE conversation = ? AND number = ?", [(key, number) for number in gone]
            )
            for number, (message, parent) in new.items():
                connection.execute(
                    "INSERT INTO message (conversation, number, parent, role, content, about, trace)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (conversation, number) DO UPDATE SET"
                    " content = excluded.content, about = excluded.about, trace = excluded.trace",
                    (key, number, parent, *rows.message_row(message)),
                )
            _describe(connection, key, tree)
        self._written[key] = {number: message for number, (message, _) in now.items()}
        return key

    def read(self, key: int) -> Kept:
        """The whole conversation."""
        with self._reading() as connection:
            found = connection.execute(
                "SELECT title, settings, shown FROM conversation WHERE key = ? AND deleted_at IS NULL", (key,)
            ).fetchone()
            if found is None:
                raise HistoryError(GONE, "Choose another one.")
            said = connection.execute(
                "SELECT number, parent, role, content, about, trace FROM message WHERE conversation = ?"
                " ORDER BY number",
                (key,),
            ).fetchall()
            title, settings, shown = found
            tree = MessageTree()
            for number, parent, *row in said:
                tree.put(number, rows.message_of((row[0], row[1], row[2], row[3])), parent)
            _show(tree, json.loads(shown))
            kept = Kept(tree, rows.settings_of(settings), title)
        self._written[key] = {number: node.message for number, node in tree.nodes()}
        return kept

    def newest(self, limit: int = 200) -> Sequence[Summary]:
        with self._reading() as connection:
            found = connection.execute(
                f"SELECT {_SUMMARY} FROM conversation WHERE deleted_at IS NULL"
                " ORDER BY changed_at DESC, key DESC LIMIT ?",
                (limit,),
            )
            return tuple(map(_summary, found))

    def search(self, text: str, limit: int = 50) -> Sequence[Found]:
        words = text.casefold().split()
        if not words:
            return ()
        with self._reading() as connection:
            ranks = _conversations_with_all(connection, words)
            best = sorted(ranks, key=lambda key: ranks[key])[:limit]
            summaries = _summaries(connection, best)
            return tuple(
                Found(summaries[key], *place_of(_text_with(connection, key, words), words))
                for key in best
                if key in summaries
            )

    def saved_ms(self) -> float:
        """What speculation won against plain decoding in all replies kept here; negative when it lost."""
        with self._reading() as connection:
            found = connection.execute(
                "SELECT json_extract(about, '$.stats') FROM message"
                " JOIN conversation ON conversation.key = message.conversation"
                " WHERE role = 'assistant' AND deleted_at IS NULL AND json_extract(about, '$.stats.verified') > 0"
            )
            return sum(rows.stats_of(text).saved_by_speculation_ms for (text,) in found)

    def rename(self, key: int, title: str) -> None:
        with self._transaction() as connection:
            connection.execute("UPDATE conversation SET title = ? WHERE key = ?", (" ".join(title.split()), key))

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
        self._connection.close()

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection, None, None]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise HistoryError(f"The history {self._path} cannot be read: {error}.", _hint(error)) from error
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
            except sqlite3.Error as error:
                raise HistoryError(f"The history {self._path} cannot be written: {error}.", _hint(error)) from error


def _conversation(connection: sqlite3.Connection, key: int | None, settings: ChatSettings) -> int:
    said = rows.settings_text(settings)
    if key is not None:
        changed = connection.execute("UPDATE conversation SET settings = ? WHERE key = ?", (said, key))
        if changed.rowcount:
            return key
    added = connection.execute("INSERT INTO conversation (settings, changed_at) VALUES (?, ?)", (said, time.time()))
    assert added.lastrowid is not None
    return added.lastrowid


def _describe(connection: sqlite3.Connection, key: int, tree: MessageTree) -> None:
    """What lists show, kept with the conversation so that lists need not read it."""
    shown = tree.shown
    first = next((number for number in shown if tree.message(number).role == "user"), None)
    model = next((tree.message(n).model for n in reversed(shown) if tree.message(n).model), "")
    connection.execute(
        "UPDATE conversation SET first_words = ?, shown = ?, message_count = ?, model = ?, changed_at = ?"
        " WHERE key = ?",
        (
            shortened(tree.message(first).content) if first is not None else "",
            json.dumps(tree.shown_leaves()),
            len(shown),
            model,
            time.time(),
            key,
        ),
    )


def _show(tree: MessageTree, leaves: object) -> None:
    known = {number for number, _ in tree.nodes()}
    for number in leaves if isinstance(leaves, list) else ():
        if number in known:
            tree.show(number)


def _summary(row: tuple[int, str, float, int, str]) -> Summary:
    key, title, changed_at, message_count, model = row
    return Summary(key, title, datetime.fromtimestamp(changed_at, UTC), message_count, model)


def _summaries(connection: sqlite3.Connection, keys: Sequence[int]) -> dict[int, Summary]:
    marks = ", ".join("?" * len(keys))
    found = connection.execute(
        f"SELECT {_SUMMARY} FROM conversation WHERE deleted_at IS NULL AND key IN ({marks})", tuple(keys)
    )
    return {row[0]: _summary(row) for row in found}


def _conversations_with_all(connection: sqlite3.Connection, words: list[str]) -> dict[int, float]:
    """Rank by conversation, smaller is better; a word may be in a title or in any message, and the words apart."""
    ranks: dict[int, float] = {}
    for place, word in enumerate(words):
        found = dict(_with_word(connection, word))
        ranks = found if place == 0 else {key: ranks[key] + found[key] for key in ranks.keys() & found.keys()}
    return ranks


def _with_word(connection: sqlite3.Connection, word: str) -> Iterable[tuple[int, float]]:
    if _is_cut_into_words(word):
        yield from connection.execute(
            "SELECT conversation, min(rank) FROM words JOIN message ON message.row = words.rowid"
            " WHERE words MATCH ? GROUP BY conversation",
            (f'"{word}"*',),
        )
    else:
        yield from connection.execute(
            "SELECT DISTINCT conversation, -1.0 FROM message WHERE content LIKE ? ESCAPE '\\'", (_pattern(word),)
        )
    yield from connection.execute(
        "SELECT key, -100.0 FROM conversation WHERE title LIKE ? ESCAPE '\\'", (_pattern(word),)
    )


def _is_cut_into_words(word: str) -> bool:
    """Whether the index knows it as a word; punctuation and scripts without spaces are looked for letter by letter."""
    return all(character.isalnum() and ord(character) < 0x0E00 for character in word)


def _pattern(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _text_with(connection: sqlite3.Connection, key: int, words: list[str]) -> str:
    """A message in which the last word occurs to the letter, else one with any, else the first."""
    for word in reversed(words):
        found = connection.execute(
            "SELECT content FROM message WHERE conversation = ? AND content LIKE ? ESCAPE '\\' ORDER BY number LIMIT 1",
            (key, _pattern(word)),
        ).fetchone()
        if found is not None:
            return str(found[0])
    first = connection.execute("SELECT content FROM message WHERE conversation = ? LIMIT 1", (key,)).fetchone()
    return str(first[0]) if first is not None else ""


def _hint(error: sqlite3.Error) -> str:
    said = str(error)
    if "full" in said:
        return "Make room on the disk; until then, what is said is not kept."
    if "locked" in said:
        return "Another program holds it; close it and try again."
    return "What is said now is not kept."
