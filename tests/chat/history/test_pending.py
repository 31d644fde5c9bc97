"""A history that cannot be had just now: nothing said is lost, and the screen is told for as long as it lasts."""

import sqlite3
import time
from pathlib import Path

import pytest

from sparkdesk.chat.conversation import Conversation
from sparkdesk.chat.history.pending import PendingHistory
from sparkdesk.chat.history.schema import VERSION
from sparkdesk.chat.history.sqlite import SqliteHistory
from sparkdesk.chat.local_responder import LocalResponder
from sparkdesk.chat.messages import Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.tree import MessageTree
from sparkdesk.errors import HistoryError
from tests.reply_scripts import saying
from tests.scripted_engine import ScriptedEngine

SETTINGS = ChatSettings(system_prompt="Be brief.")


def talk(*texts: str) -> MessageTree:
    tree = MessageTree()
    for index, text in enumerate(texts):
        tree.add(Message("assistant" if index % 2 else "user", text), tree.last)
    return tree


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "kept.db"
    history = SqliteHistory(path)
    history.keep(None, talk("An old one", "Yes"), SETTINGS)
    history.close()
    return path


def held(path: Path) -> sqlite3.Connection:
    """By a program that lets nobody else in."""
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    return holder


def until_kept(history: PendingHistory) -> None:
    began = time.monotonic()
    while history.not_kept:
        assert time.monotonic() - began < 20, history.not_kept
        time.sleep(0.02)


def test_a_history_that_is_held_at_the_start_takes_all_that_was_said_when_it_is_free(path: Path) -> None:
    """It went on in memory, and everything was gone at the end."""
    holder = held(path)
    history = PendingHistory(path, again_s=0.05)
    assert "locked" in history.not_kept
    conversation = Conversation(LocalResponder(ScriptedEngine(saying("Hi"))), store=history)
    list(conversation.reply("A new one"))
    assert "locked" in conversation.not_kept, "it lasts, however often it was told"
    assert conversation.key is not None and conversation.key < 0
    history.rename(conversation.key, "My own title")
    holder.close()
    until_kept(history)
    assert conversation.not_kept == "" and conversation.title == "My own title"
    list(conversation.reply("And on"))
    assert [each.title for each in history.newest()] == ["My own title", "An old one"]
    history.close()
    later = SqliteHistory(path)
    assert [each.message_count for each in later.newest()] == [4, 2]
    later.close()


def test_what_waits_is_tried_a_last_time_at_the_end(path: Path) -> None:
    holder = held(path)
    history = PendingHistory(path, again_s=1000)
    history.keep(None, talk("A new one"), SETTINGS)
    holder.close()
    history.close()
    later = SqliteHistory(path)
    assert {each.title for each in later.newest()} == {"A new one", "An old one"}
    later.close()


def test_a_history_of_a_newer_version_is_left_alone_and_said(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    history = PendingHistory(path, again_s=0.05)
    key = history.keep(None, talk("A new one"), SETTINGS)
    time.sleep(0.2)
    assert "newer SparkDesk" in history.not_kept
    assert key is not None and history.read(key).tree.messages[0].content == "A new one"
    history.close()
    assert path.read_bytes() == before


def test_a_write_that_fails_is_made_up_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up in mid-conversation, and has room again later; the old ones stay readable."""
    history = PendingHistory(path, again_s=0.05)
    (old,) = history.newest()

    def full(*_: object) -> int:
        raise HistoryError("The disk is full.", "Make room.")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteHistory, "keep", full)
        kept = history.read(old.key)
        kept.tree.add(Message("user", "One more"), kept.tree.last)
        assert history.keep(old.key, kept.tree, kept.settings) == old.key
        assert history.not_kept == "The disk is full. Make room."
        assert len(history.read(old.key).tree.messages) == 3
        assert history.search("more")[0].summary.key == old.key
        assert [each.message_count for each in history.newest()] == [3], "once"
    until_kept(history)
    history.close()
    later = SqliteHistory(path)
    assert [each.message_count for each in later.newest()] == [3]
    later.close()


def test_a_conversation_deleted_while_it_waits_stays_deleted(path: Path) -> None:
    holder = held(path)
    history = PendingHistory(path, again_s=1000)
    key = history.keep(None, talk("A secret"), SETTINGS)
    assert key is not None
    history.delete(key)
    holder.close()
    history.close()
    later = SqliteHistory(path)
    assert [each.title for each in later.newest()] == ["An old one"]
    later.close()
