"""Damaged histories: whatever happened to the file, the desk opens, says so in a sentence, and repair saves the rest.

python -m tests.chat.history.fuzz_history --minutes 5
"""

import math
import random
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from sparkdesk.chat.history.pending import PendingHistory
from sparkdesk.chat.history.repair import repair
from sparkdesk.chat.history.sqlite import SqliteHistory
from sparkdesk.chat.messages import Attachment, Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.trace import BONUS, DRAFTED, RoundMark, Stretch, Trace
from sparkdesk.chat.tree import MessageTree
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.errors import HistoryError
from tests.fuzzing import run

Wanted = TypeVar("Wanted")
KEPT_SEEDS = (0, 1, 2, 5, 11, 42, 99, 1234, 777, 31337)
"""Run by the tests."""
CONVERSATIONS = 6
_TRACE = Trace((Stretch(2, DRAFTED, 1, 0.5), Stretch(1, BONUS)), (RoundMark(2, 3, 1, "draft", True, False, 4.5),))
_VALUES: tuple[object, ...] = (
    None, 0, -1, 5, 1 << 62, 1e308, -1e308, math.inf, 4e18, "", "\x1b[2J", "[]", "{}", "null", "[" * 100_000,
    '{"stats": {"verified": "many", "accepted": [1e999]}}', '{"stats": 3, "attachments": [1, {"name": 2}]}',
    '{"sampling": {"temperature": "hot", "seed": -1e400}, "system_prompt": 7}',
    "\udcff".encode("utf-8", "surrogatepass"), b"\xff\xfe\x00", b"\0" * 2000, "x" * 1_000_000,
)  # fmt: skip
_STATEMENTS = (
    "DELETE FROM message WHERE row % 4 = 0",
    "DROP TABLE words",
    "DROP TABLE message",
    "DROP INDEX conversation_by_age",
    "PRAGMA user_version = 0",
)
_COLUMNS = {
    "conversation": ("title", "first_words", "settings", "shown", "message_count", "model", "changed_at", "deleted_at"),
    "message": ("parent", "role", "content", "about", "trace", "number"),
}


def make(path: Path) -> None:
    history = SqliteHistory(path)
    for number in range(CONVERSATIONS):
        tree = MessageTree()
        first = tree.add(Message("user", f"Question {number} " * 40, attachments=(Attachment("a.txt", "text"),)), None)
        reply = Message("assistant", f"Answer {number} " * 60, stats=ReplyStats(verified=3, accepted=2), trace=_TRACE)
        tree.add(reply, first)
        tree.add(Message("assistant", "Another answer", model="Tiny"), first)
        tree.add(Message("user", "And on"), tree.last)
        history.keep(None, tree, ChatSettings(system_prompt="Be brief."))
    history.close()


def trial(seed: int, sound: bytes, folder: Path) -> None:
    for left in folder.iterdir():
        left.unlink()
    path, rng = folder / "conversations.db", random.Random(seed)
    path.write_bytes(sound)
    for damage in rng.choices(_DAMAGES, k=rng.choice((1, 1, 2, 4))):
        damage(path, rng)
    use(path)
    with suppress(HistoryError):
        repair(path)
    use(path)


def use(path: Path) -> None:
    """All that the desk does with it. Raises what it should not."""
    history = PendingHistory(path, again_s=1000)
    try:
        for each in _tried(history.newest) or ():
            _tried(partial(_go_on, history, each.key))
            _tried(partial(history.export, each.key, "json"))
            _tried(partial(history.export, each.key, "markdown"))
        _tried(lambda: history.search("question"))
        _tried(history.saved_ms)
        tree = MessageTree()
        tree.add(Message("user", "Something new"), None)
        key = history.keep(None, tree, ChatSettings())
        assert key is not None
        assert history.read(key).tree.messages[0].content == "Something new"
        _tried(lambda: history.rename(key, "Title"))
        _tried(lambda: history.delete(key))
    finally:
        history.close()


def _go_on(history: PendingHistory, key: int) -> None:
    kept = history.read(key)
    assert kept.tree.shown_leaves() or not kept.tree.shown
    assert all(message.trace is None or message.trace.rounds is not None for message in kept.tree.messages)
    kept.tree.add(Message("user", "More"), kept.tree.last)
    history.keep(key, kept.tree, kept.settings)


def _tried(wish: Callable[[], Wanted]) -> Wanted | None:
    try:
        return wish()
    except HistoryError as error:
        assert error.message and "\n" not in error.message
        return None


def _flip(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 4, 32, 256))):
        content[rng.randrange(len(content))] = rng.choice((0, 0xFF, rng.randrange(256)))
    path.write_bytes(content)


def _blank_page(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    page = rng.randrange(len(content) // 4096 or 1) * 4096
    content[page : page + 4096] = rng.choice((bytes(4096), rng.randbytes(4096)))
    path.write_bytes(content)


def _cut(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content) + 1)])


def _set(path: Path, rng: random.Random) -> None:
    """A value of the wrong kind, where SQLite keeps whatever it is given."""
    with suppress(sqlite3.Error, UnicodeDecodeError), closing(sqlite3.connect(path)) as connection:
        table = rng.choice(tuple(_COLUMNS))
        connection.execute(
            f"UPDATE OR REPLACE {table} SET {rng.choice(_COLUMNS[table])} = ? WHERE rowid % ? = 0",
            (rng.choice(_VALUES), rng.choice((1, 2, 3, 7))),
        )
        connection.commit()


def _loop(path: Path, rng: random.Random) -> None:
    with suppress(sqlite3.Error, UnicodeDecodeError), closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE message SET parent = number + ? WHERE row % 3 = 0", (rng.choice((-1, 0, 1, 2, 99)),))
        connection.commit()


def _drop(path: Path, rng: random.Random) -> None:
    with suppress(sqlite3.Error, UnicodeDecodeError), closing(sqlite3.connect(path)) as connection:
        connection.execute(rng.choice(_STATEMENTS))
        connection.commit()


_DAMAGES = (_flip, _flip, _blank_page, _cut, _set, _set, _set, _loop, _drop)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder) / "sound.db")
        sound = (Path(folder) / "sound.db").read_bytes()
        work = Path(folder) / "work"
        work.mkdir()
        return run("histories", lambda seed: trial(seed, sound, work))


if __name__ == "__main__":
    raise SystemExit(main())
