"""What a gain is held against: plain steps of the last minute, under the load there is."""

import numpy as np
import pytest

from sparkdesk.bench.lab.simulation import JAGGED
from sparkdesk.engine.scheduling.baseline import PlainBaseline
from tests.engine.scheduling.test_load import slowed
from tests.engine.scheduling.test_tuner import clock, long_pair, play, shares


def test_too_few_steps_are_no_baseline() -> None:
    baseline = PlainBaseline()
    for second in range(2):
        baseline.add(10.0, second)
        assert baseline.step_ms(second) == 0.0
    baseline.add(13.0, 2)
    assert baseline.step_ms(2) == 11.0 and baseline.is_known(2)


@pytest.mark.parametrize(("later", "known"), [(59, True), (62.5, False), (3600, False)])
def test_what_is_older_than_a_minute_is_none(later: float, known: bool) -> None:
    baseline = PlainBaseline()
    for second in range(3):
        baseline.add(10.0, second)
    assert (baseline.step_ms(later) > 0) is known


def test_one_stall_is_not_taken_for_what_plain_decoding_costs() -> None:
    """A gain of 36.5 was once expected of a machine on which one plain step had waited."""
    baseline = PlainBaseline()
    for ms in (10.0, 400.0, 10.0):
        baseline.add(ms, 1)
    assert baseline.step_ms(1) <= 20


def test_stalls_that_are_usual_count() -> None:
    baseline, random = PlainBaseline(), np.random.default_rng(1)
    for _ in range(64):
        baseline.add(30.0 if random.random() < 0.3 else 10.0, 1)
    assert 13 < baseline.step_ms(1) < 19


def test_the_first_replies_of_a_session_measure_it() -> None:
    pair = long_pair(shares((0.95, 64)))
    done = play(pair, 60)
    assert [round_.plain_ms_per_token > 0 for round_ in done.rounds[-3:]] == [True] * 3
    assert done.rounds[1].verified == 0, "the first of them at once"
    assert done.outcome.stats.plain_ms_per_token == pytest.approx(JAGGED.target_ms[0], rel=0.1)


def test_after_a_pause_it_is_measured_anew() -> None:
    pair = long_pair(shares((0.95, 64)))
    play(pair, 60)
    clock(pair).elapsed_ms += 61_000
    done = play(pair, 60, prompt=(700,))
    assert done.rounds[1].verified == 0 and done.rounds[1].plain_ms_per_token == 0
    assert done.rounds[-1].plain_ms_per_token > 0


@pytest.mark.parametrize("factor", [4.0, 40.0])
def test_no_gain_is_claimed_that_load_made(factor: float) -> None:
    """The machine becomes free in mid-reply: what the reply won is what it won at each time."""
    pair = long_pair(shares((0.8, 64)))
    clock(pair).schedule = [(0, slowed(JAGGED, factor, noise=0.3)), (150, JAGGED)]
    stats = play(pair, 400).outcome.stats
    plain_ms = 150 * factor * JAGGED.target_ms[0] + 250 * JAGGED.target_ms[0]
    assert stats.speedup < 1.3 * plain_ms / stats.decode_ms
    assert all(played.tokens <= 8 for played in clock(pair).rounds)


def test_what_is_expected_is_never_more_than_the_tokens_of_a_round() -> None:
    pair = long_pair(shares((0.95, 64)))
    clock(pair).schedule = [(0, slowed(JAGGED, 40, noise=0.8)), (100, JAGGED), (200, slowed(JAGGED, 40, noise=0.8))]
    assert max(round_.expected_gain for round_ in play(pair, 400).rounds) <= 8
