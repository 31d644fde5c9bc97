"""The benchmark beside busy loops: all ways in turns, loops that end, and figures that add up."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from sparkdesk.bench.busy import BusyReply, busy_loops, busy_replies, speed
from tests.bench.rounds import lent_engine, plain_rounds
from tests.scripted_engine import MODEL, ScriptedEngine

PROMPTS = ((1, 2, 3), (4, 5, 6))


def measured(engine: ScriptedEngine, *, repetitions: int = 2) -> tuple[list[BusyReply], list[int]]:
    entered: list[int] = []

    @contextmanager
    def load(count: int) -> Iterator[None]:
        entered.append(count)
        yield

    events = busy_replies(engine, PROMPTS, max_tokens=9, loops=3, repetitions=repetitions, load=load)
    return [event for event in events if isinstance(event, BusyReply)], entered


def test_every_way_comes_as_often_and_the_first_turn_only_teaches() -> None:
    found, entered = measured(lent_engine())
    ways = [(each.is_busy, each.is_speculative) for each in found]
    assert {way: ways.count(way) for way in ways} == {
        (busy, fast): 4 for busy in (True, False) for fast in (True, False)
    }
    assert entered.count(3) == entered.count(0) == 12


def test_a_target_without_a_draft_is_measured_plainly() -> None:
    engine = lent_engine(model=replace(MODEL, block_size=0, draft_name=None))
    found, _ = measured(engine)
    assert not any(each.is_speculative for each in found) and len(found) == 8
    assert speed(found, is_busy=False, is_speculative=True) == 0


def test_the_speed_is_all_tokens_in_all_their_time() -> None:
    engine = lent_engine(lambda prompt, settings: plain_rounds(4, ms=5 if len(engine.requests) % 2 else 15))
    found, _ = measured(engine)
    both = [speed(found, is_busy=busy, is_speculative=fast) for busy in (True, False) for fast in (True, False)]
    assert all(50 < each < 210 for each in both)
    assert speed(
        [replace(each, is_busy=True, is_speculative=True) for each in found], is_busy=True, is_speculative=True
    ) == (pytest.approx(100, rel=0.01))


def test_the_loops_end_with_it_even_when_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def start(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        started.append(real(command, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(KeyboardInterrupt), busy_loops(2):
        assert [loop.poll() for loop in started] == [None, None]
        raise KeyboardInterrupt
    assert all(loop.poll() is not None for loop in started)
