"""The real desk behind the screen: opens, replies, survives a reload, and closes from another thread."""

import os
import signal
import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sparkdesk.backend.local import LocalBackend
from sparkdesk.backend.shared_engine import SharedEngine
from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.chat.events import ReplyAdvanced, ReplyBroken, ReplyFinished
from sparkdesk.chat.history.memory import MemoryHistory
from sparkdesk.chat.history.sqlite import SqliteHistory
from sparkdesk.chat.messages import Message
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.tree import MessageTree
from sparkdesk.engine.settings import LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.errors import EngineError, UsageError
from sparkdesk.events import Notice, Progress
from sparkdesk.loading.choice import ChosenPair, PairFiles, own_pair
from sparkdesk.runner.client import EngineClient
from sparkdesk.ui.protocol import Backend

CHAT = ChatSettings(sampling=SamplingSettings(temperature=0.0), max_tokens=8)
HOW = LoadSettings("", context_tokens=512, threads=1)


def make_backend(
    pair: ChosenPair, chat: ChatSettings = CHAT, history_file: Path | None = None, *, continues: bool = False
) -> LocalBackend:
    return LocalBackend(
        pair, SharedEngine(EngineClient()), how=lambda: HOW, chat=chat, history_file=history_file, continues=continues
    )


def no_pair() -> ChosenPair:
    def prepare() -> Generator[Progress, None, PairFiles]:
        raise UsageError("There is nothing to load.")
        yield

    return ChosenPair("nothing", (), prepare)


def have_talked(path: Path, *prompts: str, chat: ChatSettings = CHAT) -> None:
    history = SqliteHistory(path)
    for prompt in prompts:
        tree = MessageTree()
        asked = tree.add(Message("user", prompt), None)
        tree.add(Message("assistant", "Yes.", model="Tiny"), asked)
        history.keep(None, tree, chat)
    history.close()


@pytest.fixture
def desk(synthetic_pair: SyntheticPair) -> Iterator[LocalBackend]:
    made = make_backend(own_pair(synthetic_pair.target, synthetic_pair.draft))
    yield made
    made.close()


def as_the_screen_sees_it(desk: LocalBackend) -> Backend:
    """mypy checks that the protocol is satisfied."""
    return desk


@pytest.mark.native
def test_it_opens_replies_and_reloads(desk: LocalBackend) -> None:
    assert desk.model is None and desk.name == "tiny-target"
    events = list(as_the_screen_sees_it(desk).load())
    assert {event.step for event in events if isinstance(event, Progress)} >= {"Loading the target"}
    assert any(isinstance(event, Notice) and "no chat template" in event.text for event in events)
    assert desk.model is not None and desk.model.block_size == 7
    *_, first = desk.conversation.reply("a")
    conversation = desk.conversation
    list(desk.reload())
    *_, second = conversation.reply("b")
    assert isinstance(first, ReplyFinished) and isinstance(second, ReplyFinished)
    assert desk.conversation is conversation and len(conversation.messages) == 4


@pytest.mark.native
def test_after_closing_there_is_no_model(desk: LocalBackend) -> None:
    list(desk.load())
    desk.close()
    assert desk.model is None


@pytest.mark.native
def test_a_draft_length_beyond_the_block_is_refused(synthetic_pair: SyntheticPair) -> None:
    chat = ChatSettings(speculation=SpeculationSettings(True, 8))
    desk = make_backend(own_pair(synthetic_pair.target, synthetic_pair.draft), chat)
    with pytest.raises(UsageError, match="8 is more than the 7"):
        list(desk.load())
    desk.close()


def test_the_last_conversation_goes_on_with_its_settings(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    own = ChatSettings(system_prompt="Rhyme.", sampling=SamplingSettings(temperature=0.3), is_thinking=True)
    have_talked(path, "first", "second", chat=own)
    desk = make_backend(no_pair(), ChatSettings(speculation=SpeculationSettings(False)), path, continues=True)
    assert [message.content for message in desk.conversation.messages] == ["second", "Yes."]
    assert desk.conversation.settings == replace(own, speculation=SpeculationSettings(False))
    assert not desk.start_conversation().messages
    assert not desk.conversation.settings.system_prompt and not desk.conversation.settings.is_thinking
    desk.open_conversation(desk.history.newest()[1].key)
    assert desk.conversation.title == "first"
    desk.close()


def test_what_the_command_line_asks_for_holds_in_the_last_conversation_too(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    have_talked(path, "first", chat=ChatSettings(system_prompt="Rhyme.", sampling=SamplingSettings(temperature=0.3)))
    desk = make_backend(no_pair(), CHAT, path, continues=True)
    settings = desk.conversation.settings
    assert settings.sampling == CHAT.sampling and settings.max_tokens == 8 and settings.system_prompt == "Rhyme."
    desk.close()


def test_all_who_ask_at_once_get_the_same_first_conversation(tmp_path: Path) -> None:
    have_talked(tmp_path / "kept.db", "first")
    desk = make_backend(no_pair(), CHAT, tmp_path / "kept.db")
    got: list[object] = []
    threads = [threading.Thread(target=lambda: got.append(desk.conversation)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(each) for each in got}) == 1
    desk.close()


def test_without_a_history_file_nothing_is_kept(tmp_path: Path) -> None:
    desk = make_backend(no_pair())
    assert isinstance(desk.history, MemoryHistory) and not desk.conversation.messages
    desk.close()


@pytest.mark.native
def test_a_history_that_cannot_be_used_is_told_once_and_the_desk_opens(
    synthetic_pair: SyntheticPair, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    pair = own_pair(synthetic_pair.target, synthetic_pair.draft)
    desk = make_backend(pair, CHAT, tmp_path / "file" / "kept.db")
    told = [event.text for event in desk.load() if isinstance(event, Notice)]
    assert sum("not kept" in text for text in told) == 1
    assert not any(isinstance(event, Notice) and "not kept" in event.text for event in desk.reload())
    *_, last = desk.conversation.reply("a")
    assert isinstance(last, ReplyFinished)
    desk.close()


@pytest.mark.native
def test_leaving_in_mid_reply_keeps_all_of_it(synthetic_pair: SyntheticPair, tmp_path: Path) -> None:
    path, said = tmp_path / "kept.db", ""
    chat = replace(CHAT, max_tokens=0, ignores_end=True)
    desk = make_backend(own_pair(synthetic_pair.target, synthetic_pair.draft), chat, path)
    list(desk.load())
    leaving = threading.Thread(target=desk.close)
    for event in desk.conversation.reply("a"):
        if isinstance(event, ReplyAdvanced):
            said += event.text
            if not leaving.is_alive() and leaving.ident is None:
                leaving.start()
    leaving.join(10)
    kept = SqliteHistory(path)
    (summary,) = kept.newest()
    reply = kept.read(summary.key).tree.messages[-1]
    assert said and reply.content == said and reply.note == "Stopped."
    kept.close()


@pytest.mark.native
def test_what_came_before_the_engine_was_killed_is_kept(synthetic_pair: SyntheticPair, tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    chat = replace(CHAT, max_tokens=0, ignores_end=True)
    engine = SharedEngine(EngineClient())
    pair = own_pair(synthetic_pair.target, synthetic_pair.draft)
    desk = LocalBackend(pair, engine, how=lambda: HOW, chat=chat, history_file=path)
    list(desk.load())
    said = ""
    for event in desk.conversation.reply("a"):
        if isinstance(event, ReplyAdvanced):
            said += event.text
            if event.stats.generated > 20 and engine.client._child is not None and engine.client.is_alive:
                os.kill(engine.client._child.pid, signal.SIGKILL)
    assert isinstance(event, ReplyBroken) and event.needs_reload and desk.model is None
    kept = SqliteHistory(path)
    reply = kept.read(kept.newest()[0].key).tree.messages[-1]
    assert reply.content == said == event.text and reply.is_partial and "SIGKILL" in reply.note
    kept.close()
    list(desk.reload())
    *_, last = desk.conversation.go_on()
    assert isinstance(last, ReplyFinished) and last.text.startswith(said)
    desk.close()


def test_closing_ends_an_opening_in_another_thread() -> None:
    has_begun, was_undone = threading.Event(), threading.Event()
    raised: list[Exception] = []

    def prepare() -> Generator[Progress, None, PairFiles]:
        try:
            while True:
                has_begun.set()
                yield Progress("Converting", 1, 2, "bytes")
        finally:
            was_undone.set()

    desk = make_backend(ChosenPair("endless", (), prepare))

    def open_it() -> None:
        try:
            list(desk.load())
        except EngineError as error:
            raised.append(error)

    thread = threading.Thread(target=open_it)
    thread.start()
    assert has_begun.wait(10)
    desk.close()
    thread.join(10)
    assert not thread.is_alive() and raised and was_undone.is_set()


def test_cancelling_an_opening_undoes_what_was_begun(tmp_path: Path) -> None:
    was_undone = threading.Event()

    def prepare() -> Generator[Progress, None, PairFiles]:
        try:
            yield Progress("Converting", 1, 2, "bytes")
        finally:
            was_undone.set()
        return PairFiles(tmp_path, None)

    desk = make_backend(ChosenPair("cancelled", (), prepare))
    steps = desk.load()
    next(steps)
    steps.close()
    assert was_undone.is_set()
    desk.close()
