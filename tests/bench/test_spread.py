"""Quantiles with numbers worked out by hand."""

import pytest

from sparkdesk.bench.spread import NOTHING, Spread, quantile, spread_of


def test_five_numbers() -> None:
    assert spread_of([5.0, 1.0, 4.0, 2.0, 3.0]) == Spread(5, 1.0, 2.0, 3.0, 4.0, 5.0)
    assert spread_of([7.0]) == Spread(1, 7.0, 7.0, 7.0, 7.0, 7.0)
    assert spread_of([]) == NOTHING


@pytest.mark.parametrize(("share", "value"), [(0.0, 10.0), (0.25, 17.5), (0.5, 25.0), (1.0, 40.0)])
def test_between_two_values_a_quantile_lies_between_them(share: float, value: float) -> None:
    assert quantile([10.0, 20.0, 30.0, 40.0], share) == value
