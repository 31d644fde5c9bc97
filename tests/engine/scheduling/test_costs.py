"""Step costs from noisy looks at them: robust against stalls, other load and long contexts, never smoothed."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkdesk.engine.scheduling.costs import ABSORB_ROWS, MOST_ROWS, Seen, StepCosts

JAGGED_MS = (22.9, 31.4, 40.1, 34.5, 43.9, 51.4, 59.4, 63.2)


def seeded(pace: float = 1.0) -> StepCosts:
    costs = StepCosts(7)
    costs.seed(
        {rows: Seen(pace * ms, 3) for rows, ms in enumerate(JAGGED_MS, 1)},
        {length: Seen(pace * (5 + length), 3) for length in range(1, 8)},
        {1: Seen(pace * 0.8, 3), 4: Seen(pace * 1.5, 3)},
    )
    return costs


def test_nothing_measured_is_zero() -> None:
    assert StepCosts(7).plain_ms(100) == 0.0


def test_a_probe_is_believed_size_by_size() -> None:
    """T(4) lies below T(3) on machines whose kernels work in fours: no curve may be laid through it."""
    found = seeded().target_ms(0)
    assert found[:8] == pytest.approx(JAGGED_MS, rel=0.12)
    assert found[3] < found[2]
    assert seeded().draft_ms(0) == pytest.approx([5 + k for k in range(1, 8)], rel=0.15)


def test_sizes_that_were_not_probed_lie_near_their_neighbours() -> None:
    costs = StepCosts(7)
    costs.seed({1: Seen(20.0, 2), 8: Seen(60.0, 1)}, {7: Seen(12.0, 1)}, {})
    found = costs.target_ms(0)
    assert 35 < found[4] < 60
    assert costs.stddev()[4] > costs.stddev()[7]
    assert 6 < costs.draft_ms(0)[3] < 14


def test_noise_and_stalls_average_out() -> None:
    random, costs = np.random.default_rng(1), StepCosts(7)
    for _ in range(400):
        for rows in (1, 4, 8):
            stall = 5.0 if random.random() < 0.02 else 1.0
            costs.observe_target(rows, 0, JAGGED_MS[rows - 1] * stall * float(np.exp(random.normal(0, 0.08))))
    found = costs.target_ms(0)
    for rows in (4, 8):
        assert found[rows - 1] / found[0] == pytest.approx(JAGGED_MS[rows - 1] / JAGGED_MS[0], rel=0.04)


def test_the_yardstick_is_a_mean_with_stalls_in_it() -> None:
    """A median would leave the machine's stalls out of plain decoding and count them against speculation alone."""
    costs = StepCosts(7)
    for step in range(2000):
        costs.observe_target(1, 0, 60.0 if step % 10 == 0 else 10.0)
    assert costs.plain_ms(0) == pytest.approx(15.0, rel=0.2)


def test_a_machine_that_slows_down_slows_all_sizes() -> None:
    """Only T(4) is seen after something else took half the processor; what a plain step costs now must follow."""
    costs = seeded()
    for _ in range(60):
        costs.observe_absorb(4, 2 * 1.5)
        costs.observe_draft(3, 0, 2 * 8)
        costs.observe_target(4, 0, 2 * JAGGED_MS[3])
    assert costs.target_ms(0)[0] == pytest.approx(2 * JAGGED_MS[0], rel=0.2)
    assert costs.draft_ms(0)[6] == pytest.approx(2 * 12, rel=0.25)


def test_a_longer_context_that_costs_more_is_foreseen() -> None:
    """The target's steps grow by half over 4,096 tokens and the draft's do not: known ahead of the next long prompt."""
    random, costs = np.random.default_rng(2), seeded()
    for _ in range(6):
        for context in range(0, 4096, 16):
            growth = 1 + context / 8192
            noise = float(np.exp(random.normal(0, 0.03)))
            costs.observe_draft(7, context, 12 * noise)
            costs.observe_target(4, context, JAGGED_MS[3] * growth * noise)
    near, far = (costs.target_ms(context)[3] / costs.draft_ms(context)[6] for context in (0, 4096))
    assert far / near == pytest.approx(1.5, rel=0.2)


def test_what_a_change_of_size_costs_is_kept_apart() -> None:
    """A tiny model's graph takes as long to build as its step: the steady cost must not pay for it."""
    costs, last = StepCosts(7), 0
    costs.seed({1: Seen(0.4, 3), 4: Seen(0.9, 3)}, {}, {}, change_ms=0.1)
    for turn in range(900):
        rows = 4 if turn // 5 % 2 else 1
        steady = 0.4 if rows == 1 else 0.9
        costs.observe_target(rows, 0, steady + 0.3 * (rows != last), is_change=rows != last)
        last = rows
    assert costs.target_ms(0)[0] == pytest.approx(0.4, rel=0.08)
    assert costs.change_ms == pytest.approx(0.3, rel=0.25)


def test_absorbing_a_long_backlog_costs_in_proportion() -> None:
    costs = seeded()
    assert costs.absorb_ms(0) == 0.0
    assert costs.absorb_ms(10 * ABSORB_ROWS) == pytest.approx(10 * costs.absorb_ms(ABSORB_ROWS))


def test_what_was_learnt_survives_a_session_but_for_the_pace() -> None:
    """The ratios hold tomorrow; how busy the machine is does not."""
    kept = json.loads(json.dumps(seeded().state()))
    costs = StepCosts(7)
    costs.restore(kept)
    assert costs.is_remembered
    costs.seed({1: Seen(50.0, 2)}, {}, {})
    assert costs.target_ms(0)[3] / costs.target_ms(0)[0] == pytest.approx(JAGGED_MS[3] / JAGGED_MS[0], rel=0.1)
    assert costs.target_ms(0)[0] == pytest.approx(50.0, rel=0.05)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"ratios": [1.0], "stddevs": [1.0], "counts": [1], "change": 0},
        {**StepCosts(7).state(), "ratios": [math.nan] * len(StepCosts(7).state()["ratios"])},  # type: ignore[arg-type]
        StepCosts(5).state(),
    ],
    ids=["empty", "short", "not a number", "another block size"],
)
def test_a_state_that_does_not_fit_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError)):
        StepCosts(7).restore(broken)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("tda"), st.integers(1, 20), st.floats(1e-4, 1e5), st.integers(0, 200_000), st.booleans()
        ),
        max_size=60,
    )
)
def test_whatever_a_clock_says_the_costs_stay_finite(steps: list[tuple[str, int, float, int, bool]]) -> None:
    costs = StepCosts(7)
    for kind, size, ms, context, is_change in steps:
        if kind == "t":
            costs.observe_target(size, context, ms, is_change=is_change)
        elif kind == "d":
            costs.observe_draft(min(size, 7), context, ms)
        else:
            costs.observe_absorb(size, ms)
        found = np.concatenate((costs.target_ms(context), costs.draft_ms(context), [costs.absorb_ms(size)]))
        assert np.isfinite(found).all() and (found > 0).all()
        assert (costs.stddev() >= 0).all() and len(costs.stddev()) == MOST_ROWS
