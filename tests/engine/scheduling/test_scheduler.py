"""The scheduler's arithmetic against brute force."""

from itertools import product

import numpy as np
import pytest

from sparkdesk.engine.scheduling.scheduler import Prices, best_fixed_length, forecast, survival, verify_length

VERIFY_MS = np.array([22.9, 31.4, 40.1, 34.5, 43.9, 51.4, 59.4, 63.2])
DRAFT_MS = np.array([6.5, 8.1, 9.8, 11.9, 14.0, 16.1, 18.2])


def prices(rate: float = 1 / 22.9, absorb_ms: float = 1.5) -> Prices:
    return Prices(VERIFY_MS, DRAFT_MS, absorb_ms, rate, float(VERIFY_MS[0]))


def worth(chances: tuple[float, ...], length: int, rate: float) -> float:
    tokens = 1 + sum(np.prod(chances[:i]) for i in range(1, length + 1))
    return float(tokens - rate * VERIFY_MS[length])


@pytest.mark.parametrize("chances", list(product((0.2, 0.6, 0.95), repeat=4)))
@pytest.mark.parametrize("rate", [1 / 22.9, 1 / 15.0])
def test_the_length_to_verify_is_the_best_of_all(chances: tuple[float, ...], rate: float) -> None:
    found = verify_length(np.array(chances), prices(rate))
    assert worth(chances, found, rate) == pytest.approx(max(worth(chances, n, rate) for n in range(5)))


def test_a_dip_in_the_costs_is_found_beyond_a_rise() -> None:
    """Two drafted tokens cost more than three here: who stops at the first length that does not pay never sees it."""
    chances = np.array([0.9, 0.3, 0.9])
    assert verify_length(chances[:2], prices()) == 1
    assert verify_length(chances, prices()) == 3


def test_survival_is_the_running_product() -> None:
    assert survival(np.array([[0.5, 0.5, 1.0]])) == pytest.approx(np.array([[0.5, 0.25, 0.25]]))


@pytest.mark.parametrize("chances", [(0.9,) * 7, (0.9, 0.9, 0.2, 0.9, 0.9, 0.9, 0.9), (0.1,) * 7])
def test_a_forecast_cuts_each_block_where_it_will_be_cut(chances: tuple[float, ...]) -> None:
    found = forecast(np.array([chances]), np.ones(1), prices())
    rate = 1 / 22.9
    for length in range(8):
        best = max(range(length + 1), key=lambda n: worth(chances, n, rate))
        draft_ms = DRAFT_MS[length - 1] + 1.5 if length else 0.0
        assert found.worth[length] == pytest.approx(worth(chances, best, rate) - rate * draft_ms)
        assert found.cost_ms[length] == pytest.approx(VERIFY_MS[best] + draft_ms)
        assert found.tokens[length] == pytest.approx(worth(chances, best, rate) + rate * VERIFY_MS[best])


def test_blocks_count_by_their_weight() -> None:
    easy, hard = np.full(7, 0.95), np.full(7, 0.05)
    assert forecast(np.array([easy, hard]), np.array([0.95, 0.05]), prices()).best(7) >= 3
    assert forecast(np.array([easy, hard]), np.array([0.05, 0.95]), prices()).best(7) == 0
    assert forecast(np.array([easy, hard]), np.array([0.95, 0.05]), prices()).best(2) <= 2, "no more than there is room"


def test_plain_decoding_is_worth_nothing_at_its_own_rate() -> None:
    found = forecast(np.array([[0.5] * 7]), np.ones(1), prices())
    assert found.worth[0] == pytest.approx(0.0) and found.gain(0) == pytest.approx(1.0)


def test_time_is_dearer_where_tokens_come_fast() -> None:
    """At twice the speed of plain decoding a doubtful row is not worth what it is worth at plain speed."""
    doubtful = np.array([0.9, 0.9, 0.9, 0.75, 0.7, 0.7, 0.7])
    assert verify_length(doubtful, prices(2 / 22.9)) <= verify_length(doubtful, prices(1 / 22.9))


def test_the_best_fixed_length_of_a_constant_chance() -> None:
    assert best_fixed_length(0.8, prices(), 7)[0] == 3
    assert best_fixed_length(0.8, prices(), 7)[1] == pytest.approx(2.952 * 22.9 / (34.5 + 9.8 + 1.5), rel=1e-3)
    assert best_fixed_length(0.1, prices(), 7) == (0, 1.0)
