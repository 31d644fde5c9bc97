"""The bars in simulation, on the cost curve they were set on: arithmetic with seeds, no clock."""

import pytest

from sparkdesk.bench.lab.bars import BARS, Bar
from sparkdesk.bench.lab.simulation import JAGGED, SMOOTH, STEEP, Machine, simulate

TEXTS = 8


@pytest.mark.parametrize("bar", [bar for bar in BARS if not bar.repeats_prompt], ids=lambda bar: str(bar.name))
def test_the_scheduler_reaches_its_bars(bar: Bar) -> None:
    found = simulate(bar.shape, JAGGED, tokens=768, texts=TEXTS)
    assert found.tuned >= bar.of_plain
    assert found.tuned >= bar.of_best_fixed * max(found.fixed)
    assert found.tuned >= 0.85 * found.oracle


@pytest.mark.parametrize("bar", [bar for bar in BARS if not bar.repeats_prompt], ids=lambda bar: str(bar.name))
@pytest.mark.parametrize("machine", [STEEP, SMOOTH], ids=lambda machine: str(machine.name))
def test_it_is_never_slower_on_other_machines(bar: Bar, machine: Machine) -> None:
    found = simulate(bar.shape, machine, tokens=768, texts=TEXTS)
    assert found.tuned >= 0.96
    assert found.tuned >= 0.88 * found.oracle
