"""Cost curves of scripted rounds, and the lengths they ask for, with numbers worked out by hand."""

from dataclasses import replace

import pytest

from sparkdesk.bench.curves import Choice, Curves, choices, curves_of, round_ms
from sparkdesk.bench.spread import NOTHING, Spread, spread_of
from sparkdesk.engine.round import Round
from tests.bench.rounds import drafted_rounds, plain_rounds


def once(value: float) -> Spread:
    return spread_of([value])


def test_costs_are_grouped_by_size() -> None:
    cut = replace(drafted_rounds(1)[0], drafted=5, verified=2, accepted=2, draft_ms=4.0, verify_ms=6.0)
    found = curves_of([plain_rounds(3, ms=10.0), [*drafted_rounds(2, ms=13.0), cut]])
    assert {rows: spread.median for rows, spread in found.verify.items()} == {1: 10.0, 3: 6.0, 4: 10.0}
    assert {length: spread.median for length, spread in found.draft.items()} == {3: 1.0, 5: 4.0}
    assert found.verify[4].count == 2


def test_taking_in_the_prompt_is_kept_apart_from_taking_in_a_round() -> None:
    first, *others = drafted_rounds(4)
    plain = plain_rounds(1)[0]
    found = curves_of([[plain, replace(first, absorb_ms=50.0), *others]])
    assert (found.prompt_absorb.median, found.absorb.median) == (50.0, 1.0)
    assert (found.plain_other.median, found.other.median) == (0.0, 1.0)


def test_rounds_out_of_the_context_cost_no_draft() -> None:
    quoting = replace(drafted_rounds(1)[0], source="context", drafted=0, draft_ms=0.0)
    found = curves_of([[quoting]])
    assert found.draft == {} and list(found.verify) == [4] and found.absorb == NOTHING


CURVES = Curves(
    verify={1: once(10.0), 2: once(11.0), 3: once(12.0), 4: once(30.0)},
    draft={1: once(1.0), 2: once(1.5), 3: once(2.0)},
    absorb=once(0.5),
    plain_other=once(0.0),
    other=once(0.5),
)


def test_a_round_costs_all_its_parts() -> None:
    assert [round_ms(CURVES, length) for length in range(5)] == [10.0, 13.0, 14.5, 33.0, None]


def test_the_best_length_grows_with_acceptance_and_is_plain_where_drafting_loses() -> None:
    low, middle, high = choices(CURVES, (0.2, 0.4, 0.9))
    assert low == Choice(0.2, 0, 1.0)
    assert middle.length == 1 and middle.gain == pytest.approx(1.4 * 10 / 13)
    # 2.71 tokens in 14.5 ms; a fourth row would triple the pass.
    assert high.length == 2 and high.gain == pytest.approx(2.71 * 10 / 14.5)


def test_without_plain_decoding_nothing_can_be_said() -> None:
    assert choices(curves_of([drafted_rounds(2)])) == ()
    assert curves_of([]) == Curves() and choices(Curves()) == ()


def test_a_length_whose_draft_was_never_measured_is_left_out() -> None:
    quoting = Round((1,), (False,), verified=1, source="context")
    assert choices(curves_of([plain_rounds(1), [quoting]]))[-1] == Choice(0.95, 0, 1.0)


def test_a_draft_that_was_not_put_before_the_target_cost_its_time_all_the_same() -> None:
    refused = replace(drafted_rounds(1)[0], source="", verified=0, accepted=0)
    found = curves_of([[refused]])
    assert found.draft[3].median == 1.0 and list(found.verify) == [1]
