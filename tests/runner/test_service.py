"""Text is cut into tokens beside a reply, and a long one keeps nobody waiting."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sparkdesk.engine.settings import Control, GenerationSettings, LoadSettings
from sparkdesk.runner.protocol import Failed, Load, Loaded, Response, Shutdown, Spell, Spelled, Tokenize, Tokens
from sparkdesk.runner.service import Service
from tests.server.served import MODEL

LONG = "a" * 100_000


@dataclass
class Pair:
    """Long texts wait for the gate."""

    gate: threading.Event = field(default_factory=threading.Event)
    is_closed: bool = False
    was_closed_in_use: bool = False
    info: Any = MODEL

    def tokenize(self, text: str, parse_special: bool = True) -> tuple[int, ...]:
        if len(text) == len(LONG):
            self.gate.wait(10)
            self.was_closed_in_use |= self.is_closed
        return (len(text),)

    def piece(self, token: int, *, show_control: bool = False) -> bytes:
        return b"<%d>" % token if show_control else b""

    def compare(self, tokens: tuple[int, ...], first: int, second: int) -> tuple[float, float]:
        return 0.0, 0.0

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Engine:
    pairs: list[Pair] = field(default_factory=list)

    def open(self, settings: LoadSettings, *, on_progress: object = None) -> Pair:
        self.pairs.append(Pair())
        return self.pairs[-1]

    def generate(
        self, pair: object, tokens: tuple[int, ...], settings: GenerationSettings, control: Control
    ) -> Iterator[Any]:
        yield from ()


class Talk:
    def __init__(self) -> None:
        self.engine, self.answers = Engine(), dict[int, Response]()
        self.service = Service(self.engine, lambda response, number: self.answers.update({number: response}))
        self.thread = threading.Thread(target=self.service.run, daemon=True)
        self.thread.start()

    def answer(self, number: int) -> Response:
        deadline = time.monotonic() + 5
        while number not in self.answers:
            assert time.monotonic() < deadline, "no answer"
            time.sleep(0.005)
        return self.answers[number]


def test_a_short_text_passes_a_long_one() -> None:
    talk = Talk()
    talk.service.receive(Load.of(LoadSettings("t")), 1)
    assert isinstance(talk.answer(1), Loaded)
    talk.service.receive(Tokenize(LONG), 2)
    talk.service.receive(Tokenize("short"), 3)
    assert talk.answer(3) == Tokens((5,)) and 2 not in talk.answers
    talk.engine.pairs[0].gate.set()
    assert talk.answer(2) == Tokens((len(LONG),))


def test_a_pair_in_use_is_not_closed_for_another() -> None:
    talk = Talk()
    talk.service.receive(Load.of(LoadSettings("t")), 1)
    talk.answer(1)
    talk.service.receive(Tokenize(LONG), 2)
    talk.service.receive(Load.of(LoadSettings("t")), 3)
    time.sleep(0.1)
    assert not talk.engine.pairs[0].is_closed
    talk.engine.pairs[0].gate.set()
    assert isinstance(talk.answer(3), Loaded)
    assert talk.engine.pairs[0].is_closed and not talk.engine.pairs[0].was_closed_in_use


def test_the_end_does_not_wait_for_a_long_text() -> None:
    talk = Talk()
    talk.service.receive(Load.of(LoadSettings("t")), 1)
    talk.answer(1)
    talk.service.receive(Tokenize(LONG), 2)
    talk.service.receive(Shutdown(), 3)
    talk.thread.join(3)
    assert not talk.thread.is_alive() and not talk.engine.pairs[0].is_closed
    talk.engine.pairs[0].gate.set()


def test_tokens_are_spelled_beside_a_reply_and_only_those_of_the_vocabulary() -> None:
    talk = Talk()
    talk.service.receive(Load.of(LoadSettings("t")), 1)
    talk.answer(1)
    talk.service.receive(Spell((1, MODEL.vocabulary_size - 1)), 2)
    assert talk.answer(2) == Spelled((b"<1>", b"<%d>" % (MODEL.vocabulary_size - 1)))
    for number, token in enumerate((-1, MODEL.vocabulary_size), start=3):
        talk.service.receive(Spell((1, token)), number)
        refused = talk.answer(number)
        assert isinstance(refused, Failed) and refused.kind == "UsageError"
