"""Speed by draft length: what was measured, what costs and acceptance foretell, and what the scheduler did."""

from dataclasses import replace

import pytest

from sparkdesk.bench.curves import curves_of
from sparkdesk.bench.speeds import best_of, length_speeds, scheduler_speed
from sparkdesk.bench.sweep import Swept
from tests.bench.rounds import drafted_rounds, plain_rounds, reply

SWEPT = [
    Swept(2, reply(drafted_rounds(4, accepted=2, drafted=2, ms=15.0))),
    Swept(0, reply(plain_rounds(12))),
    Swept(1, reply(drafted_rounds(6, accepted=1, drafted=1, ms=12.0))),
]


def test_lengths_come_in_order_and_the_fastest_is_the_best() -> None:
    speeds = length_speeds(SWEPT, curves_of(each.reply.rounds for each in SWEPT))
    assert [each.length for each in speeds] == [0, 1, 2]
    assert [each.measured for each in speeds] == pytest.approx([100.0, 1e3 * 2 / 12, 1e3 * 3 / 15])
    assert best_of(speeds) == speeds[2]


def test_where_every_draft_is_right_what_is_foretold_is_what_is_measured() -> None:
    speeds = length_speeds(SWEPT, curves_of(each.reply.rounds for each in SWEPT))
    assert [each.expected for each in speeds] == pytest.approx([each.measured for each in speeds])


def test_refusals_lower_what_is_foretold() -> None:
    half = [*drafted_rounds(2, accepted=1, drafted=1, ms=12.0), *drafted_rounds(2, accepted=0, drafted=1, ms=12.0)]
    swept = [SWEPT[1], Swept(1, reply(half))]
    _, drafted = length_speeds(swept, curves_of(each.reply.rounds for each in swept))
    assert drafted.expected == pytest.approx(1e3 * 1.5 / 12)


def test_a_cost_that_was_not_measured_foretells_nothing() -> None:
    speeds = length_speeds(SWEPT, curves_of([SWEPT[1].reply.rounds]))
    assert speeds[0].expected is not None and speeds[1].expected is None


def test_nothing_measured_has_no_best() -> None:
    assert best_of(length_speeds([], curves_of([]))) is None


def test_what_the_scheduler_does_leaves_out_probes_and_repeated_text() -> None:
    rounds = [
        *drafted_rounds(3, accepted=2, drafted=4),
        *(replace(done, source="context", verified=8) for done in drafted_rounds(2)),
        *(replace(done, is_parked=True, verified=7, expected_gain=0.9) for done in drafted_rounds(5)),
    ]
    found = scheduler_speed([reply(rounds)])
    assert found.usual_length == 4 and found.parked_share == 0.5 and found.expected_gain == 0.9
    assert scheduler_speed([reply([])]).usual_length == 0
