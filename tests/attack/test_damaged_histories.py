"""A history that something happened to: the rest is usable, what is wrong is said, and repair saves what is left."""

import resource
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sparkdesk.__main__ import main
from sparkdesk.chat.history.pending import PendingHistory
from sparkdesk.chat.history.repair import repair
from sparkdesk.chat.history.sqlite import SqliteHistory
from sparkdesk.config.paths import HOME_VARIABLE
from sparkdesk.errors import HistoryError
from tests.chat.history.fuzz_history import CONVERSATIONS, KEPT_SEEDS, make, trial
from tests.fuzzing import timed


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sound") / "sound.db"
    make(path)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, sound: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    path = tmp_path / "home" / "data" / "conversations.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(sound)
    return path


def damage(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement, values)
        connection.commit()


ONE_CONVERSATION = {
    "a message that follows itself": ("UPDATE message SET parent = number WHERE conversation = 2 AND number = 3", ()),
    "two that follow each other": ("UPDATE message SET parent = 3 - number WHERE conversation = 2 AND number < 3", ()),
    "a parent that is not there": ("UPDATE message SET parent = 99 WHERE conversation = 2 AND number = 2", ()),
    "bytes for words": ("UPDATE message SET content = ? WHERE conversation = 2 AND number = 1", (b"\xff\0\xfe",)),
    "nobody who said it": ("UPDATE message SET role = '' WHERE conversation = 2 AND number = 1", ()),
    "a number that is text": ("UPDATE message SET number = 'x' WHERE conversation = 2 AND number = 3", ()),
}


@pytest.mark.parametrize("name", ONE_CONVERSATION)
def test_one_damaged_conversation_is_said_and_the_others_are_there(
    path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    statement, values = ONE_CONVERSATION[name]
    damage(path, statement, *values)
    history = PendingHistory(path)
    assert len(history.newest()) == CONVERSATIONS
    with pytest.raises(HistoryError, match="Conversation 2 is damaged") as refused:
        history.read(2)
    assert "history repair" in refused.value.hint
    assert all(len(history.read(key).tree.messages) == 3 for key in range(1, CONVERSATIONS + 1) if key != 2)
    history.close()
    assert main(["history", "show", "2"]) == 3
    assert main(["history", "repair"]) == 0
    assert "1 lack messages" in capsys.readouterr().err
    later = SqliteHistory(path)
    texts = [[m.content for m in later.read(each.key).tree.messages] for each in later.newest()]
    assert len(texts) == CONVERSATIONS and all(len(each) >= 2 for each in texts)
    later.close()
    assert main(["history", "repair"]) == 0 and "Nothing to repair" in capsys.readouterr().err


DEFAULTS = {
    "a time out of range": ("UPDATE conversation SET changed_at = ? WHERE key = 2", (4e18,)),
    "a time that is text": ("UPDATE conversation SET changed_at = ? WHERE key = 2", ("yesterday",)),
    "an endless time": ("UPDATE conversation SET changed_at = 1e999 WHERE key = 2", ()),
    "settings that are none": ("UPDATE conversation SET settings = ? WHERE key = 2", ("[" * 100_000,)),
    "a hot one": ("UPDATE conversation SET settings = ? WHERE key = 2", ('{"sampling": {"temperature": "x"}}',)),
    "a title of bytes": ("UPDATE conversation SET title = ? WHERE key = 2", (b"\xff\xfe",)),
    "figures that are none": ("UPDATE message SET about = ? WHERE conversation = 2", ('{"stats": {"verified": "x"}}',)),
    "figures cut off": ("UPDATE message SET about = ? WHERE conversation = 2", ('{"stats": {"verif',)),
    "a picture of noise": ("UPDATE message SET trace = ? WHERE conversation = 2", (b"noise",)),
    "a picture of text": ("UPDATE message SET trace = ? WHERE conversation = 2", ("noise",)),
    "shown branches of nothing": ("UPDATE conversation SET shown = ? WHERE key = 2", ('[99, "x", null]',)),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFAULTS)
def test_what_is_not_what_was_said_gets_its_default(path: Path, name: str) -> None:
    statement, values = DEFAULTS[name]
    damage(path, statement, *values)
    history = PendingHistory(path)
    assert len(history.newest()) == CONVERSATIONS and history.saved_ms() is not None
    kept = history.read(2)
    assert len(kept.tree.messages) == 3 and kept.settings.sampling.temperature == pytest.approx(0.7)
    assert all(message.trace is None or message.trace.stretches is not None for message in kept.tree.messages)
    assert history.export(2, "json") and history.export(2, "markdown")
    history.close()


LEAVES = (9, 10)
"""Pages that hold the words of three conversations each."""


@pytest.mark.parametrize("page", range(12))
def test_a_page_of_noise_leaves_the_rest_readable(path: Path, page: int) -> None:
    content = bytearray(path.read_bytes())
    if len(content) < (page + 1) * 4096:
        pytest.skip("the file has no such page")
    content[page * 4096 : (page + 1) * 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    with closing(PendingHistory(path)) as history:
        history.newest()
    repair(path)
    with closing(SqliteHistory(path)) as history:
        assert len(history.newest()) >= (3 if page in LEAVES else CONVERSATIONS)
        for each in history.newest():
            assert history.read(each.key).tree.messages


def test_a_broken_first_page_header_is_mended(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[:24] = bytes(24)
    path.write_bytes(content)
    history = PendingHistory(path)
    assert "damaged" in history.notice and not history.newest()
    history.close()
    found = repair(path)
    assert found is not None and found.conversations == CONVERSATIONS and not found.incomplete


@pytest.mark.parametrize("make_other", [lambda path: path.mkdir(), lambda path: __import__("os").mkfifo(path)])
def test_a_history_that_is_no_file_is_not_waited_for(path: Path, make_other: Callable[[Path], None]) -> None:
    path.unlink()
    make_other(path)
    history = PendingHistory(path)
    assert "cannot be opened" in history.not_kept
    history.close()
    assert main(["history", "list"]) == 3


@pytest.mark.parametrize("seed", [*KEPT_SEEDS, *range(200, 215)])
def test_whatever_happened_to_it_the_desk_opens(tmp_path: Path, sound: bytes, seed: int) -> None:
    timed(lambda seed: trial(seed, sound, tmp_path), seed)


def test_holes_in_a_history_are_neither_copied_nor_read(path: Path) -> None:
    """It took 2 GB and longer than anybody waits to repair a file that said it had 3 GB of zeros."""
    with path.open("r+b") as file:
        file.write(bytes(100))  # no header any more
        file.truncate(1 << 40)
    began_s, used = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = repair(path)
    assert found is not None and found.conversations == CONVERSATIONS
    assert time.process_time() - began_s < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used < 300_000  # kB
    assert all(aside.stat().st_blocks * 512 < 1 << 24 for aside in found.aside)


def test_a_history_of_nothing_but_a_hole_is_repaired(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 << 30)
    found = repair(path)
    assert found is not None and found.conversations == 0


@pytest.mark.parametrize("ending", ["-journal", "-wal", "-shm"])
def test_a_pipe_beside_a_history_is_not_waited_for(path: Path, ending: str) -> None:
    """SQLite opens its journals by itself, and waited for ever."""
    __import__("os").mkfifo(f"{path}{ending}")
    history = PendingHistory(path)
    assert "a pipe" in history.not_kept
    history.close()
    assert main(["history", "list"]) == 3
