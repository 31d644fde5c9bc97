"""Log-probabilities are the target's own, whatever the sampler does, and cost nothing when nobody asks."""

import numpy as np
import pytest

from sparkdesk.engine.logprobs import logprobs
from sparkdesk.engine.settings import Control, GenerationSettings, SamplingSettings, SpeculationSettings
from sparkdesk.engine.speculate import generate
from tests.engine.tables import Run, collect, random_pair


def test_probabilities_are_the_softmax_and_the_best_come_first() -> None:
    rows = np.log(np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]], np.float32)) + 40
    first, second = logprobs(rows, (0, 1), top=2)
    assert np.exp(first.logprob) == pytest.approx(0.1, rel=1e-5)
    assert first.top_tokens == (2, 1)
    assert np.exp(first.top_logprobs) == pytest.approx([0.7, 0.2], rel=1e-5)
    assert np.exp(second.logprob) == pytest.approx(0.25, rel=1e-5) and second.top_tokens[0] == 0


def test_tokens_that_can_never_be_said_are_no_alternatives() -> None:
    """Minus infinity is no number in JSON."""
    (only,) = logprobs(np.array([[0.0, -np.inf]], np.float32), (0,), top=20)
    assert only.top_tokens == (0,) and only.logprob == 0


@pytest.mark.parametrize("length", [0, 3, 7])
def test_every_token_of_a_reply_has_the_targets_own_probability(length: int) -> None:
    """A row taken for its neighbour's in a round of several tokens would show here."""
    pair = random_pair(3)
    done = reply(length, top=2)
    previous = 1
    for token, found in zip(done.tokens, (each for played in done.rounds for each in played.logprobs), strict=True):
        row = pair.target.table[previous].astype(np.float64)
        exact = row - np.log(np.exp(row).sum())
        assert found.logprob == pytest.approx(exact[token], abs=1e-5)
        assert found.top_tokens == tuple(np.argsort(-exact)[:2].tolist())
        assert found.top_logprobs == pytest.approx(np.sort(exact)[::-1][:2].tolist(), abs=1e-5)
        previous = token


def test_none_are_told_unless_asked_for() -> None:
    assert not any(played.logprobs for played in reply(3, top=None).rounds)
    assert all(each.top_tokens == () for played in reply(3, top=0).rounds for each in played.logprobs)


def reply(length: int, *, top: int | None) -> Run:
    speculation = SpeculationSettings(length > 0, length or None)
    sampling = SamplingSettings(temperature=0.6, top_k=3, repeat_penalty=1.2, seed=1)
    settings = GenerationSettings(40, sampling=sampling, speculation=speculation, top_logprobs=top)
    return collect(generate(random_pair(3), [1], settings, Control(speculation)))
