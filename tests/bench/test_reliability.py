"""Calibration error by hand, and what a round does and does not tell about its tokens."""

import pytest

from sparkdesk.bench.reliability import Forecast, as_drafted, by_position, calibrated, known_outcomes, reliability
from sparkdesk.engine.round import Round


def forecasts(*pairs: tuple[float, bool]) -> list[Forecast]:
    return [Forecast(0, probability, is_accepted) for probability, is_accepted in pairs]


def test_the_error_weighs_each_bin_by_its_tokens() -> None:
    found = reliability(forecasts((0.95, True), (0.95, False), (0.15, False), (0.15, False)))
    assert found is not None
    assert (found.count, found.accepted_share) == (4, 0.25)
    assert found.mean_probability == pytest.approx(0.55)
    assert found.error == pytest.approx(0.5 * 0.45 + 0.5 * 0.15)


def test_certainty_that_holds_has_no_error() -> None:
    """1.0 belongs to the last bin, not to one behind it."""
    found = reliability(forecasts((1.0, True), (0.0, False)))
    assert found is not None and found.error == 0.0


def test_without_forecasts_there_is_nothing_to_say() -> None:
    assert reliability([]) is None and by_position([]) == ()


@pytest.mark.parametrize(
    ("done", "known"),
    [
        (Round((1, 2), (True, False), verified=3, accepted=1), [True, False]),
        (Round((1, 2, 3), (True, True, False), verified=2, accepted=2), [True, True]),
        (Round((1,), (False,), verified=2, accepted=0), [False]),
        (Round((1,), (True,), verified=3, accepted=2, has_end=True), [True, True]),
        (Round((1,), (True,), verified=3, accepted=1, has_end=True), [True, False]),
        (Round((1,), (False,)), []),
    ],
    ids=["refused", "all accepted", "first refused", "end drafted", "end instead of a draft", "plain"],
)
def test_outcomes_are_known_up_to_the_first_refusal(done: Round, known: list[bool]) -> None:
    assert list(known_outcomes(done)) == known


def test_forecasts_stop_where_outcomes_do_and_are_told_by_position() -> None:
    done = Round((1, 2), (True, False), verified=3, accepted=1, confidences=(0.9, 0.8, 0.7), expected=(0.95, 0.55, 0.5))
    assert list(calibrated([done])) == [Forecast(0, 0.95, True), Forecast(1, 0.55, False)]
    first, second = by_position(as_drafted([done, done]))
    assert first is not None and (first.count, first.accepted_share) == (2, 1.0)
    assert first.error == pytest.approx(0.1)
    assert second is not None and second.error == pytest.approx(0.8)


def test_a_round_without_forecasts_counts_for_nothing() -> None:
    assert list(calibrated([Round((1, 2), (True, False), verified=1, accepted=1)])) == []
