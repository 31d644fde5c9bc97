"""`sparkdesk history` as a user meets it."""

import json
from pathlib import Path

import pytest

from sparkdesk.chat.history.sqlite import SqliteHistory
from sparkdesk.chat.messages import Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.tree import MessageTree
from sparkdesk.cli.app import run
from sparkdesk.config.paths import HOME_VARIABLE, user_paths


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "desk"))


@pytest.fixture
def kept() -> None:
    history = SqliteHistory(user_paths().history_file)
    for text in ("How do I bake bread?", "Name a planet"):
        tree = MessageTree()
        asked = tree.add(Message("user", text), None)
        tree.add(Message("assistant", f"About {text.split()[-1]}", model="Tiny"), asked)
        history.keep(None, tree, ChatSettings())
    history.close()


def test_without_conversations_it_says_how_to_have_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["history", "list"]) == 0
    out, said = capsys.readouterr()
    assert not out and "sparkdesk demo" in said


def test_list_and_search(kept: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["history", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Name a planet" in lines[0] and "How do I bake bread?" in lines[1] and "2 messages" in lines[1]
    assert run(["history", "search", "bake", "bre", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["conversations"]
    assert found["number"] == 1 and "bread" in found["place"]
    assert run(["history", "search", "xylophone"]) == 0
    assert "Nothing found" in capsys.readouterr().err


def test_show_and_export(kept: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["history", "show", "1"]) == 0
    assert "## You" in capsys.readouterr().out
    out = tmp_path / "talk.json"
    assert run(["history", "export", "1", str(out)]) == 0
    assert json.loads(out.read_text())["messages"][0]["content"] == "How do I bake bread?"
    assert run(["history", "export", "1", str(out)]) == 2
    assert run(["history", "export", "1", str(tmp_path / "talk.txt")]) == 2
    assert run(["history", "show", "99"]) == run(["history", "export", "99", str(tmp_path / "new.md")]) == 2
    assert "There is no conversation 99." in capsys.readouterr().err


def test_remove_asks_first(kept: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["history", "remove", "1"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert run(["history", "remove", "7", "--yes"]) == 2
    assert run(["history", "remove", "1", "--yes"]) == 0
    assert run(["history", "list", "--json"]) == 0
    assert [each["number"] for each in json.loads(capsys.readouterr().out)["conversations"]] == [2]
    assert run(["history", "remove", "--all", "--yes"]) == 0
    assert run(["history", "list"]) == 0
    assert not capsys.readouterr().out


def test_a_damaged_history_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    path = user_paths().history_file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database" * 1000)
    assert run(["history", "list"]) == 3
    assert "damaged" in capsys.readouterr().err
