"""Confidences against what really happened: overconfident heads, heads that guess, and drafts without one."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from sparkdesk.engine.scheduling.calibration import Calibration, logits_of

Floats = NDArray[np.float64]


class Text:
    """Blocks whose tokens are accepted with known chances."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)

    def block(self, share: float, *, noise: float, shift: float) -> tuple[Floats, list[float]]:
        right = self.random.random(7) < share
        logits = np.where(right, 2.0, -2.0) + noise * self.random.standard_normal(7) + shift
        run = int(np.argmin(np.append(right, False)))
        return logits, [1.0] * run + [0.0] * (run < 7)


def teach(
    calibration: Calibration, text: Text, tokens: int, *, share: float = 0.8, noise: float = 1.0, shift: float = 0.0
) -> None:
    taught = 0
    while taught < tokens:
        logits, outcomes = text.block(share, noise=noise, shift=shift)
        calibration.observe(logits, outcomes)
        calibration.pass_tokens(len(outcomes))
        taught += len(outcomes)


def error(calibration: Calibration, text: Text, *, share: float, noise: float, shift: float = 0.0) -> float:
    """Expected calibration error over ten bins of the first token's chance."""
    found = [text.block(share, noise=noise, shift=shift) for _ in range(3000)]
    chances = np.array([calibration.chances(logits)[0] for logits, _ in found])
    right = np.array([outcomes[0] for _, outcomes in found])
    bins = np.minimum((chances * 10).astype(int), 9)
    weights = np.bincount(bins, minlength=10) / len(bins)
    gaps = [abs(chances[bins == i].mean() - right[bins == i].mean()) if weights[i] else 0.0 for i in range(10)]
    return float(weights @ gaps)


def test_an_overconfident_head_is_seen_through_within_a_hundred_tokens() -> None:
    untaught, text = Calibration(7), Text()
    before = error(untaught, text, share=0.8, noise=1.0, shift=3.0)
    calibration = Calibration(7)
    teach(calibration, Text(1), 100, shift=3.0)
    after = error(calibration, text, share=0.8, noise=1.0, shift=3.0)
    assert before > 0.12
    assert after < 0.6 * before
    teach(calibration, Text(2), 1500, shift=3.0)
    assert error(calibration, text, share=0.8, noise=1.0, shift=3.0) < 0.06


def test_a_head_that_only_guesses_is_worth_little() -> None:
    calibration = Calibration(7)
    teach(calibration, Text(1), 1500, noise=5.0)
    low, high = calibration.chances(np.array([-5.0]))[0], calibration.chances(np.array([5.0]))[0]
    assert high - low < 0.5, "its confidences hardly move the chance"
    assert error(calibration, Text(3), share=0.8, noise=5.0) < 0.08


def test_a_good_head_keeps_its_word() -> None:
    calibration = Calibration(7)
    teach(calibration, Text(1), 1500)
    assert calibration.chances(np.array([-3.0]))[0] < 0.1
    assert calibration.chances(np.array([3.0]))[0] > 0.95


def test_text_that_turned_hard_shows_within_a_few_tokens() -> None:
    """The head does not see it; what happened to the last tokens does."""
    calibration, text = Calibration(7), Text(4)
    for _ in range(4):
        teach(calibration, text, 128, share=0.95, noise=5.0)
        easy = calibration.chances(np.zeros(1))[0]
        teach(calibration, text, 128, share=0.2, noise=5.0)
    hard = calibration.chances(np.zeros(1))[0]
    assert easy > 0.8 and hard < 0.5
    calibration.pass_tokens(400)
    assert hard < calibration.chances(np.zeros(1))[0] < easy, "long ago is no evidence any more"


def test_without_a_confidence_head_it_is_acceptance_by_position() -> None:
    random, calibration = np.random.default_rng(5), Calibration(7)
    shares = [0.9, 0.85, 0.7, 0.5]
    for _ in range(1500):
        right = random.random(4) < shares
        run = int(np.argmin(np.append(right, False)))
        calibration.observe(logits_of((), 4), [1.0] * run + [0.0] * (run < 4))
        calibration.pass_tokens(run + 1)
    found = calibration.chances(logits_of((), 4))
    assert found[0] > 0.82 and found[0] > found[2] > found[3]


def test_a_chance_counts_as_part_of_an_outcome() -> None:
    calibration = Calibration(7)
    for _ in range(400):
        calibration.observe(np.zeros(1), [0.3])
        calibration.pass_tokens(1)
    assert calibration.chances(np.zeros(1))[0] == pytest.approx(0.3, abs=0.06)


def test_what_was_learnt_survives_a_session() -> None:
    taught, fresh = Calibration(7), Calibration(7)
    teach(taught, Text(1), 500, shift=3.0)
    taught.pass_tokens(10_000)
    fresh.restore(json.loads(json.dumps(taught.state())))
    logits = np.linspace(-4, 4, 7)
    assert fresh.chances(logits) == pytest.approx(taught.chances(logits), abs=1e-3)
    with pytest.raises(ValueError):
        Calibration(5).restore(taught.state())


def test_confidences_at_the_very_ends_are_finite() -> None:
    logits = logits_of((0.0, 1.0, 0.5), 3)
    assert np.isfinite(logits).all() and logits[0] < -5 and logits[1] > 5 and logits[2] == 0
    chances = Calibration(7).chances(logits)
    assert ((chances > 0) & (chances < 1)).all()
