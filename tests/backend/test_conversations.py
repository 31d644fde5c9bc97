"""Which conversation a start opens, and with whom one of the history may be continued."""

from dataclasses import replace
from pathlib import Path

import pytest

from sparkdesk.backend.conversations import BackendConversations
from sparkdesk.chat.history.sqlite import SqliteHistory
from sparkdesk.chat.messages import Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.tree import MessageTree
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.errors import HistoryError

LOCAL, SERVER, OTHER = "", "http://127.0.0.1:8080", "https://models.example"


class Nobody:
    """Replies to nothing; who is there does not matter here."""

    model_name = ""
    is_alive = False

    def set_speculation(self, settings: SpeculationSettings) -> None:
        """There is no reply in the making."""


def held(path: Path, *talks: tuple[str, str]) -> None:
    """Conversations of one prompt each, with the server they were held with."""
    history = SqliteHistory(path)
    for prompt, server in talks:
        tree = MessageTree()
        tree.add(Message("assistant", "Yes."), tree.add(Message("user", prompt), None))
        history.keep(None, tree, ChatSettings(system_prompt=f"about {prompt}", is_thinking=True, server=server))
    history.close()


def conversations(
    path: Path, server: str, *, continues: bool = False, chat: ChatSettings | None = None
) -> BackendConversations:
    chat = replace(chat or ChatSettings(), server=server)
    return BackendConversations(Nobody, chat=chat, history_file=path, continues=continues)  # type: ignore[arg-type]


def prompts(kept: BackendConversations) -> list[str]:
    return [each.content for each in kept.open.messages if each.role == "user"]


@pytest.mark.parametrize("server", [LOCAL, SERVER])
def test_a_start_opens_a_new_chat(server: str, tmp_path: Path) -> None:
    """It once opened the last one, and `connect` sent a private one to the server with the next message."""
    held(tmp_path / "kept.db", ("a secret", LOCAL), ("to the server", SERVER))
    kept = conversations(tmp_path / "kept.db", server)
    assert prompts(kept) == [] and not kept.open.settings.system_prompt
    kept.close()


@pytest.mark.parametrize(("server", "expected"), [(LOCAL, "second here"), (SERVER, "second there")])
def test_continue_goes_on_with_the_last_one_held_there(server: str, expected: str, tmp_path: Path) -> None:
    talks = (("here", LOCAL), ("second there", SERVER), ("second here", LOCAL), ("elsewhere", OTHER))
    held(tmp_path / "kept.db", *talks)
    kept = conversations(tmp_path / "kept.db", server, continues=True)
    assert prompts(kept) == [expected] and kept.open.settings.system_prompt == f"about {expected}"
    assert kept.take_trouble() == ""
    kept.close()


def test_continue_with_nothing_to_continue_says_so_and_begins(tmp_path: Path) -> None:
    held(tmp_path / "kept.db", ("a secret", LOCAL))
    kept = conversations(tmp_path / "kept.db", SERVER, continues=True)
    assert prompts(kept) == []
    assert "no earlier conversation" in kept.take_trouble()
    kept.close()


@pytest.mark.parametrize(("was", "now"), [(LOCAL, SERVER), (SERVER, LOCAL), (SERVER, OTHER)])
def test_one_held_elsewhere_is_continued_only_after_a_warning(was: str, now: str, tmp_path: Path) -> None:
    held(tmp_path / "kept.db", ("private", was))
    kept = conversations(tmp_path / "kept.db", now)
    key = kept.history.newest()[0].key
    with pytest.raises(HistoryError, match="all of it goes to") as raised:
        kept.take(key)
    assert "once more" in raised.value.hint and prompts(kept) == []
    kept.take(key)
    assert prompts(kept) == ["private"] and kept.open.settings.server == now
    kept.close()


def test_one_held_here_opens_at_once(tmp_path: Path) -> None:
    held(tmp_path / "kept.db", ("here", SERVER))
    kept = conversations(tmp_path / "kept.db", SERVER)
    kept.take(kept.history.newest()[0].key)
    assert prompts(kept) == ["here"]
    kept.close()


def test_a_new_one_has_what_the_start_asked_for_and_not_what_the_last_one_had(tmp_path: Path) -> None:
    held(tmp_path / "kept.db", ("old", LOCAL))
    asked = ChatSettings(system_prompt="Be brief.", sampling=SamplingSettings(temperature=0.1))
    kept = conversations(tmp_path / "kept.db", LOCAL, chat=asked)
    kept.take(kept.history.newest()[0].key)
    kept.open.set_speculation(False, None)
    new = kept.start().settings
    assert (new.system_prompt, new.is_thinking, new.sampling) == ("Be brief.", False, asked.sampling)
    assert new.speculation == SpeculationSettings(False), "speculation is the desk's switch, not the chat's"
    kept.close()
