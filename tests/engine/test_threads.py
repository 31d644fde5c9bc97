"""How many threads compute: which numbers are tried, what is believed of the tries, and what is remembered."""

import json
import time
from collections.abc import Sequence

import numpy as np
import pytest

from sparkdesk.engine.block import FloatArray
from sparkdesk.engine.probe import probe_threads
from sparkdesk.engine.threads import ThreadTimes, candidates
from tests.engine.tables import ScriptedPair, TableTarget


@pytest.mark.parametrize(
    ("most", "is_on_card", "numbers"),
    [
        (8, False, (8, 7, 4)),
        (2, False, (2, 1)),
        (3, False, (3, 2, 1)),
        (1, False, (1,)),
        (64, False, (64, 63, 32)),
        (8, True, (1, 2)),
        (1, True, (1,)),
    ],
)
def test_a_short_list_is_tried(most: int, is_on_card: bool, numbers: tuple[int, ...]) -> None:
    assert candidates(most, is_on_card=is_on_card) == numbers


def test_the_fastest_wins_and_a_draw_leaves_a_core_free() -> None:
    times = ThreadTimes((8, 7, 4))
    assert times.best == 8, "before anything was tried"
    times.add({8: 10.0, 7: 10.1, 4: 16.0})
    assert times.best == 7
    times.add({8: 8.0, 7: 10.2, 4: 16.0})
    assert times.best == 8


def test_a_try_on_a_busy_machine_is_forgotten_once_it_is_quiet() -> None:
    times = ThreadTimes((2, 1))
    times.add({2: 90.0, 1: 30.0})
    assert times.best == 1
    times.add({2: 10.0, 1: 19.0})
    times.add({2: 70.0, 1: 40.0})
    assert times.best == 2 and times.is_settled


def test_a_try_that_did_not_come_to_all_numbers_decides_nothing() -> None:
    times = ThreadTimes((4, 3, 2))
    times.add({4: 900.0, 3: 700.0})
    assert times.best == 4 and not times.is_settled


def test_what_was_found_comes_back_for_the_same_numbers_only() -> None:
    times = ThreadTimes((2, 1))
    for _ in range(3):
        times.add({2: 10.0, 1: 8.0})
    kept = json.loads(json.dumps(times.state()))
    again, other = ThreadTimes((2, 1)), ThreadTimes((4, 3, 2))
    again.restore(kept)
    other.restore(kept)
    assert (again.best, again.is_settled) == (1, True)
    assert (other.best, other.is_settled) == (4, False)


def test_every_few_loads_it_is_tried_again() -> None:
    """The first three may all have been on a busy machine."""
    state: dict[str, object] = {"least_ms": {"2": 30.0, "1": 20.0}, "loads": 3}
    tried = []
    for _ in range(16):
        times = ThreadTimes((2, 1))
        times.restore(state)
        tried.append(not times.is_settled)
        if tried[-1]:
            times.add({2: 10.0, 1: 19.0})
        state = json.loads(json.dumps(times.state()))
    assert 1 <= sum(tried) <= 4 and times.best == 2


@pytest.mark.parametrize("broken", [{}, {"least_ms": []}, {"least_ms": {"x": 1}}, {"least_ms": {"2": None}}])
def test_a_state_that_is_none_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        ThreadTimes((2, 1)).restore(broken)


def test_where_there_is_no_choice_nothing_is_tried() -> None:
    assert ThreadTimes((3,)).is_settled


class PacedTarget(TableTarget):
    """Takes as long as its number of threads needs."""

    seconds_by_threads: dict[int, float]
    threads = 0

    def decode(self, tokens: Sequence[int], *, all_rows: bool) -> FloatArray:
        time.sleep(self.seconds_by_threads[self.threads])
        return super().decode(tokens, all_rows=all_rows)


@pytest.mark.parametrize(
    ("seconds", "best"),
    [({4: 0.004, 3: 0.012, 2: 0.02}, 4), ({4: 0.02, 3: 0.004, 2: 0.012}, 3), ({4: 0.02, 3: 0.012, 2: 0.004}, 2)],
)
def test_the_probe_finds_the_fastest_and_leaves_it_in_use(seconds: dict[int, float], best: int) -> None:
    target = PacedTarget(np.eye(8, dtype=np.float32))
    target.seconds_by_threads, target.threads = seconds, 4
    times, used = ThreadTimes((4, 3, 2)), []

    def use(number: int) -> None:
        used.append(number)
        target.threads = number

    shares = list(probe_threads(ScriptedPair(target, None), times, use))
    assert times.best == best == used[-1]
    assert set(used) == {4, 3, 2} and shares == sorted(shares)
    assert target.length == 0, "what was decoded for it is rubbish"
