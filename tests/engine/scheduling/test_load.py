"""Load that comes and goes: what was learned while the machine was busy must not hold a pair back once it is free."""

from dataclasses import replace

import numpy as np
import pytest

from sparkdesk.bench.lab.simulation import JAGGED, SMOOTH, STEEP, Machine
from sparkdesk.engine.scheduling.costs import StepCosts
from tests.engine.clocked import ClockedTuner
from tests.engine.scheduling.test_tuner import clock, long_pair, play, shares

BUSY_TOKENS, BACK_WITHIN = 200, 50


def slowed(machine: Machine, factor: float, *, stall_ms: float = 0.0, noise: float = 0.3) -> Machine:
    """Everything takes longer; `stall_ms` is what every call waits for a core, however short it is."""

    def under_load(costs: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(factor * ms + stall_ms for ms in costs)

    return Machine(
        machine.name,
        under_load(machine.target_ms),
        under_load(machine.draft_ms),
        under_load(machine.absorb_ms),
        noise=noise,
    )


def computing(machine: Machine, factor: float) -> Machine:
    """Beside a program that computes, every row costs as much as the first: nothing is left to gain."""
    rows = tuple(factor * machine.target_ms[0] * row for row in range(1, 17))
    return replace(slowed(machine, factor), target_ms=rows)


LOADS = {
    "half a processor": lambda machine: slowed(machine, 2),
    "a twentieth": lambda machine: slowed(machine, 20, noise=0.5),
    "stalls": lambda machine: slowed(machine, 2, stall_ms=60, noise=0.5),
    "rows in proportion": lambda machine: computing(machine, 4),
}


def speed_between(tuner: ClockedTuner, first: int, last: int) -> float:
    """Tokens a millisecond from one number of tokens to another."""
    total, tokens, ms = 0, 0, 0.0
    for played in tuner.rounds:
        total += played.tokens
        if first <= total < last:
            tokens, ms = tokens + played.tokens, ms + played.elapsed_ms
    return tokens / ms


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("machine", [JAGGED, SMOOTH, STEEP], ids=lambda machine: str(machine.name))
@pytest.mark.parametrize("share", [0.8, 0.95])
def test_a_pair_is_back_at_its_best_length_once_the_machine_is_free(machine: Machine, load: str, share: float) -> None:
    """Costs learned under load once parked a pair on a free machine for hundreds of tokens."""
    undisturbed, disturbed = (long_pair(shares((share, 64)), machine) for _ in range(2))
    clock(undisturbed).schedule = [(0, machine)]
    clock(disturbed).schedule = [(0, LOADS[load](machine)), (BUSY_TOKENS, machine)]
    for pair in (undisturbed, disturbed):
        play(pair, 500)
    first = BUSY_TOKENS + BACK_WITHIN
    reached, possible = (speed_between(clock(pair), first, first + 150) for pair in (disturbed, undisturbed))
    assert reached > 0.9 * possible


def test_load_that_comes_is_noticed_as_well() -> None:
    """Where nothing can be gained any more, the pair parks."""
    pair = long_pair(shares((0.7, 64)), SMOOTH)
    clock(pair).schedule = [(0, SMOOTH), (200, computing(SMOOTH, 3))]
    done = play(pair, 600)
    lengths = [played.choice.length for played in clock(pair).rounds]
    late = done.rounds[-150:]
    assert np.mean([bool(each.drafted) for each in late]) < 0.2 and max(lengths[:60]) == 7


def seeded(costs: StepCosts, random: np.random.Generator, *, pace: float, noise: float, steps: int) -> None:
    for _ in range(steps):
        for rows in (1, 4):
            ms = pace * JAGGED.target_ms[rows - 1] * float(np.exp(random.normal(0, noise)))
            costs.observe_target(rows, 0, ms)


@pytest.mark.parametrize("noise", [0.03, 0.1, 0.3])
def test_noise_is_no_jump(noise: float) -> None:
    costs = StepCosts(7)
    seeded(costs, np.random.default_rng(4), pace=1, noise=noise, steps=1500)
    assert costs.jumps <= 3


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_stalls_are_no_jump(share: float) -> None:
    random, costs = np.random.default_rng(5), StepCosts(7)
    for _ in range(1500):
        stall = 8.0 if random.random() < share else 1.0
        costs.observe_target(1, 0, 10.0 * stall * float(np.exp(random.normal(0, 0.05))))
    assert costs.jumps <= 3


@pytest.mark.parametrize("factor", [2.0, 5.0, 30.0])
def test_a_jump_widens_what_was_measured_and_the_old_pace_brings_it_back(factor: float) -> None:
    random, costs = np.random.default_rng(6), StepCosts(7)
    seeded(costs, random, pace=1, noise=0.05, steps=40)
    sure = costs.stddev()[3]
    for _ in range(30):
        costs.observe_target(1, 0, factor * JAGGED.target_ms[0])
    assert costs.jumps == 1 and costs.stddev()[3] > 2 * sure
    assert costs.target_ms(0)[0] == pytest.approx(factor * JAGGED.target_ms[0], rel=0.1)
    for _ in range(30):
        costs.observe_target(1, 0, JAGGED.target_ms[0])
    assert costs.jumps == 2 and costs.stddev()[3] < 1.5 * sure
    assert costs.target_ms(0)[3] == pytest.approx(JAGGED.target_ms[3], rel=0.1)


def test_what_is_kept_for_the_next_session_is_what_holds_on_a_free_machine() -> None:
    random, costs = np.random.default_rng(7), StepCosts(7)
    seeded(costs, random, pace=1, noise=0.05, steps=40)
    for _ in range(60):
        for rows in (1, 4):
            costs.observe_target(rows, 0, 20 * JAGGED.target_ms[0] * rows)
    again = StepCosts(7)
    again.restore(costs.state())
    found = again.target_ms(0)
    assert found[3] / found[0] == pytest.approx(JAGGED.target_ms[3] / JAGGED.target_ms[0], rel=0.1)
