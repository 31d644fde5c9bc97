"""The bars in simulation, on the cost curve they were set on: arithmetic with seeds, no clock."""

import numpy as np
import pytest

from sparkdesk.bench.lab.bars import BARS, Bar
from sparkdesk.bench.lab.simulation import (
    BLOCK,
    DEEP,
    JAGGED,
    SMOOTH,
    SPARSE,
    STEEP,
    Machine,
    World,
    always,
    play_fixed,
    play_tuned,
    probe,
    simulate,
)
from sparkdesk.bench.synthetic.weights import SyntheticShape
from sparkdesk.engine.scheduling.tuner import Tuner

TEXTS = 8


@pytest.mark.parametrize("bar", [bar for bar in BARS if not bar.repeats_prompt], ids=lambda bar: str(bar.name))
def test_the_scheduler_reaches_its_bars(bar: Bar) -> None:
    found = simulate(bar.shape, JAGGED, tokens=768, texts=TEXTS)
    assert found.tuned >= bar.of_plain
    assert found.tuned >= bar.of_best_fixed * max(found.fixed)
    assert found.tuned >= 0.85 * found.oracle


@pytest.mark.parametrize("bar", [bar for bar in BARS if not bar.repeats_prompt], ids=lambda bar: str(bar.name))
@pytest.mark.parametrize("machine", [STEEP, SMOOTH, SPARSE], ids=lambda machine: str(machine.name))
def test_it_is_never_slower_on_other_machines(bar: Bar, machine: Machine) -> None:
    found = simulate(bar.shape, machine, tokens=768, texts=TEXTS)
    assert found.tuned >= 0.96
    assert found.tuned >= 0.88 * found.oracle


@pytest.mark.parametrize("chance", [0.5, 0.8])
def test_it_learns_that_more_rows_touch_more_experts(chance: float) -> None:
    """Dense kernels read all weights for any number of rows; here four rows read nearly four times the experts."""
    tuner, world = Tuner(BLOCK), World(SyntheticShape(phases=(chance,)), SPARSE, seed=1, tokens=2000)
    play_tuned(world, tuner, 2000)  # without a probe: only what the loop saw
    found, true = tuner.costs.target_ms(0), np.array(SPARSE.target_ms)
    used = [rows for rows in range(1, 9) if tuner.costs.stddev()[rows - 1] < 0.05]
    assert len(used) >= 3 and found[1] / found[0] == pytest.approx(true[1] / true[0], rel=0.1)
    assert [found[rows - 1] / found[0] for rows in used] == pytest.approx(
        [true[rows - 1] / true[0] for rows in used], rel=0.1
    )


def played(tuner: Tuner, context_tokens: int, *, seed: int, tokens: int = 1500) -> float:
    """Speed as a multiple of plain decoding."""
    shape = SyntheticShape(phases=(0.75,))
    plain = World(shape, DEEP, seed=seed, tokens=tokens, context_tokens=context_tokens)
    tuned = World(shape, DEEP, seed=seed, tokens=tokens, context_tokens=context_tokens)
    return play_fixed(plain, always(0), tokens) / play_tuned(tuned, tuner, tokens)


def test_a_pair_that_gains_early_and_loses_deep_is_parked_there_and_comes_back() -> None:
    tuner, world = Tuner(BLOCK), World(SyntheticShape(phases=(0.75,)), DEEP, seed=0, tokens=64)
    probe(tuner, world)
    assert played(tuner, 1_000, seed=1) > 1.5
    tuner.begin_reply(0.0)
    shape = SyntheticShape(phases=(0.75,))
    deep = [World(shape, DEEP, seed=2, tokens=1500, context_tokens=100_000) for _ in range(BLOCK + 1)]
    times_ms = [play_fixed(world, always(length), 1500) for length, world in enumerate(deep)]
    assert min(times_ms) == times_ms[0], "there is nothing to be gained"
    assert played(tuner, 100_000, seed=2) > 0.95
    assert tuner.parking.is_parked
    tuner.begin_reply(0.0)
    assert played(tuner, 1_000, seed=3) > 1.4
