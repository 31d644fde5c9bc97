"""The real desk behind the screen: opens, replies, survives a reload, and closes from another thread."""

import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from sparkdesk.bench.synthetic import SyntheticPair
from sparkdesk.chat.events import ReplyFinished
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.cli.desk import PairDesk
from sparkdesk.cli.pairs import ChosenPair, PairFiles, own_pair
from sparkdesk.cli.shared_engine import SharedEngine
from sparkdesk.engine.settings import LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.errors import EngineError, UsageError
from sparkdesk.events import Notice, Progress
from sparkdesk.ui.desk import Desk

CHAT = ChatSettings(sampling=SamplingSettings(temperature=0.0), max_tokens=8)
HOW = LoadSettings("", context_tokens=512, threads=1)


def make_desk(pair: ChosenPair, chat: ChatSettings = CHAT) -> PairDesk:
    return PairDesk(pair, SharedEngine(), how=lambda: HOW, chat=chat)


@pytest.fixture
def desk(synthetic_pair: SyntheticPair) -> Iterator[PairDesk]:
    made = make_desk(own_pair(synthetic_pair.target, synthetic_pair.draft))
    yield made
    made.close()


def as_the_screen_sees_it(desk: PairDesk) -> Desk:
    """mypy checks that the protocol is satisfied."""
    return desk


@pytest.mark.native
def test_it_opens_replies_and_reloads(desk: PairDesk) -> None:
    assert desk.model is None and desk.name == "tiny-target"
    events = list(as_the_screen_sees_it(desk).open())
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
def test_after_closing_there_is_no_model(desk: PairDesk) -> None:
    list(desk.open())
    desk.close()
    assert desk.model is None


@pytest.mark.native
def test_a_draft_length_beyond_the_block_is_refused(synthetic_pair: SyntheticPair) -> None:
    chat = ChatSettings(speculation=SpeculationSettings(True, 8))
    desk = make_desk(own_pair(synthetic_pair.target, synthetic_pair.draft), chat)
    with pytest.raises(UsageError, match="8 is more than the 7"):
        list(desk.open())
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

    desk = make_desk(ChosenPair("endless", (), prepare))

    def open_it() -> None:
        try:
            list(desk.open())
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

    desk = make_desk(ChosenPair("cancelled", (), prepare))
    steps = desk.open()
    next(steps)
    steps.close()
    assert was_undone.is_set()
    desk.close()
