"""Tables for the sampler's pure arithmetic."""

import numpy as np
import pytest

from sparkdesk.engine.sampling import (
    Distribution,
    Sampler,
    at_least_largest,
    filtered,
    is_accepted,
    overlap,
    penalize,
    residual,
)
from sparkdesk.engine.settings import SamplingSettings

ROW = np.log(np.array([0.4, 0.3, 0.2, 0.1], np.float32))


def settings(**given: float) -> SamplingSettings:
    return SamplingSettings(**{"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, **given})  # type: ignore[arg-type]


def as_dict(found: Distribution) -> dict[int, float]:
    return {int(i): round(float(p), 4) for i, p in zip(found.ids, found.probabilities, strict=True)}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {0: 0.4, 1: 0.3, 2: 0.2, 3: 0.1}),
        ({"temperature": 0.5}, {0: 0.5333, 1: 0.3, 2: 0.1333, 3: 0.0333}),
        ({"top_k": 2}, {0: 0.5714, 1: 0.4286}),
        ({"top_p": 0.7}, {0: 0.5714, 1: 0.4286}),
        ({"top_p": 0.71}, {0: 0.4444, 1: 0.3333, 2: 0.2222}),
        ({"top_p": 0.1}, {0: 1.0}),
        ({"min_p": 0.4}, {0: 0.4444, 1: 0.3333, 2: 0.2222}),
        ({"top_k": 3, "top_p": 0.7}, {0: 0.5714, 1: 0.4286}),
        ({"top_k": 1, "temperature": 9.0}, {0: 1.0}),
    ],
)
def test_settings_keep_what_llama_cpp_would_keep(given: dict[str, float], expected: dict[int, float]) -> None:
    """Filters look at the distribution before the temperature, in the order top-k, top-p, min-p."""
    assert as_dict(filtered(ROW, settings(**given))) == pytest.approx(expected, abs=2e-4)


def test_a_hot_temperature_does_not_change_what_the_filters_keep() -> None:
    assert set(as_dict(filtered(ROW, settings(top_p=0.7, temperature=50.0)))) == {0, 1}


def test_penalties_follow_llama_cpp() -> None:
    row = np.array([2.0, -2.0, 1.0], np.float32)
    chosen = settings(repeat_penalty=2.0, presence_penalty=0.5, frequency_penalty=0.25)
    assert penalize(row, [0, 0, 1], chosen).tolist() == [2 / 2 - 0.5 - 0.5, -2 * 2 - 0.5 - 0.25, 1.0]
    assert row.tolist() == [2.0, -2.0, 1.0], "the target's own logits must stay as they are"


def test_penalties_forget_what_is_too_far_back() -> None:
    chosen = SamplingSettings(temperature=1, presence_penalty=1.0, penalty_last_tokens=2)
    assert Sampler(chosen).recent([5, 6, 7, 8]) == [7, 8]
    assert Sampler(SamplingSettings(temperature=1)).recent([5, 6]) == []


@pytest.mark.parametrize("size", [10, 2048, 50_000])
@pytest.mark.parametrize("count", [1, 5, 40])
def test_the_largest_entries_are_found_in_short_and_long_rows(size: int, count: int) -> None:
    row = np.random.default_rng(size + count).normal(size=size).astype(np.float32)
    count = min(count, size)
    assert set(np.argsort(row)[-count:]) <= set(at_least_largest(row, count))


def test_the_largest_entries_are_found_when_they_share_a_block() -> None:
    row = np.zeros(50_000, np.float32)
    row[100:140] = np.arange(1, 41)
    assert set(range(100, 140)) <= set(at_least_largest(row, 40))


def test_a_drawn_token_matches_its_share_of_the_unit_interval() -> None:
    distribution = Distribution(np.array([7, 3]), np.array([0.25, 0.75]))
    assert [distribution.draw(u) for u in (0.0, 0.2499, 0.25, 0.9999999999999999)] == [7, 7, 3, 3]


def test_accept_and_residual_together_give_back_the_target() -> None:
    """sum over tokens of q(x) min(1, p/q) + rejection * residual = p, exactly."""
    p = Distribution(np.array([0, 1, 2]), np.array([0.5, 0.3, 0.2]))
    q = Distribution(np.array([2, 1, 5]), np.array([0.6, 0.3, 0.1]))
    kept = {t: min(q.probability(t), p.probability(t)) for t in range(6)}
    rest = residual(p, q)
    rejected = 1 - sum(kept.values())
    assert sum(kept.values()) == pytest.approx(overlap(p, q))
    for token in range(6):
        assert kept[token] + rejected * rest.probability(token) == pytest.approx(p.probability(token))


def test_acceptance_is_the_ratio_of_probabilities() -> None:
    p = Distribution(np.array([0, 1]), np.array([0.2, 0.8]))
    q = Distribution(np.array([0, 1]), np.array([0.4, 0.6]))
    assert is_accepted(p, q, 0, 0.4999) and not is_accepted(p, q, 0, 0.5)
    assert is_accepted(p, q, 1, 0.9999)
    assert not is_accepted(p, Distribution(np.array([9]), np.array([1.0])), 9, 0.0), "impossible in the target"


def test_equal_distributions_never_leave_an_empty_residual() -> None:
    p = Distribution(np.array([0, 1]), np.array([0.2, 0.8]))
    assert as_dict(residual(p, p)) == {0: 0.2, 1: 0.8}


def test_a_seed_repeats_a_reply() -> None:
    first, second = (Sampler(SamplingSettings(temperature=1, seed=7)) for _ in range(2))
    assert [first.uniform() for _ in range(5)] == [second.uniform() for _ in range(5)]
