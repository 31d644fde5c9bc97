"""The Markov chain redone on the host over what was really drawn."""

import numpy as np
import pytest

from sparkdesk.engine.proposal import capped, greedy, sampled
from sparkdesk.engine.sampling import Sampler, filtered
from sparkdesk.engine.settings import SamplingSettings
from tests.engine.tables import ScriptedPair, TableMarkov, random_pair

ALL = {"top_k": 0, "top_p": 1.0}


def test_every_token_is_drawn_from_the_chain_of_the_tokens_really_drawn() -> None:
    """The graph's rows are conditioned on its greedy tokens; leaving that bias in loses acceptance."""
    settings = SamplingSettings(temperature=1.0, seed=1, **ALL)  # type: ignore[arg-type]
    pair = random_pair(3)
    assert pair.drafter is not None
    changed = 0
    for anchor in range(6):
        block = pair.drafter.block(anchor, 7)
        drawn = sampled(block, anchor, history=[], sampler=Sampler(settings), markov=pair.drafter.markov)
        previous, assumed = anchor, anchor
        for i, token in enumerate(drawn.tokens):
            exact = filtered(pair.drafter.base[i] + pair.drafter.bias[previous], settings)
            q = drawn.distributions[i]
            assert np.abs(q.at(exact.ids) - exact.probabilities).max() < 2e-3  # KEPT_MASS leaves a thousandth out
            changed += previous != assumed
            previous, assumed = token, int(block.logits[i].argmax())
    assert changed > 5, "the draws never left the greedy chain, so nothing was tested"


def test_a_greedy_proposal_is_the_graphs_own_chain() -> None:
    pair = random_pair(3)
    assert pair.drafter is not None
    block = pair.drafter.block(2, 4)
    assert greedy(block).tokens == tuple(block.logits.argmax(axis=1).tolist())
    assert greedy(block).first(2).tokens == greedy(block).tokens[:2]


def test_a_draft_without_a_markov_head_still_proposes() -> None:
    pair = random_pair(3)
    assert pair.drafter is not None
    block = pair.drafter.block(2, 4)
    drawn = sampled(block, 2, history=[], sampler=Sampler(SamplingSettings(temperature=1, seed=2)), markov=None)
    assert len(drawn.tokens) == len(drawn.distributions) == 4


def test_a_proposal_counts_its_own_tokens_for_penalties() -> None:
    """With a crushing presence penalty no token may come twice."""
    flat = np.zeros((6, 6), np.float32)
    pair = random_pair(3)
    assert pair.drafter is not None
    pair.drafter.base[:], pair.drafter.bias[:] = 0, flat
    settings = SamplingSettings(temperature=1, presence_penalty=50.0, seed=4, **ALL)  # type: ignore[arg-type]
    block = pair.drafter.block(0, 5)
    drawn = sampled(block, 0, history=[0], sampler=Sampler(settings), markov=TableMarkov(flat))
    assert len({0, *drawn.tokens}) == 6


def capped_pair(cap: float) -> ScriptedPair:
    """Logits far beyond the cap, so that it changes both the order and the odds once the bias is added."""
    pair = random_pair(3)
    assert pair.drafter is not None
    pair.drafter.base *= 20
    pair.drafter.bias *= 3
    pair.drafter.logit_cap = cap
    return pair


@pytest.mark.parametrize("cap", [30.0, 5.0])
def test_a_soft_cap_comes_before_the_markov_bias(cap: float) -> None:
    """llama.cpp's graph leaves it out: the chain is redone, and says what the model itself says."""
    settings = SamplingSettings(temperature=1.0, seed=1, **ALL)  # type: ignore[arg-type]
    pair, changed = capped_pair(cap), 0
    assert pair.drafter is not None
    for anchor in range(6):
        block = pair.drafter.block(anchor, 7)
        exact, previous = [], anchor
        for i in range(7):
            exact.append(int((capped(pair.drafter.base[i], cap) + pair.drafter.bias[previous]).argmax()))
            previous = exact[-1]
        assert greedy(block, anchor, markov=pair.drafter.markov).tokens == tuple(exact)
        changed += tuple(exact) != tuple(block.logits.argmax(axis=1).tolist())
        drawn = sampled(block, anchor, history=[], sampler=Sampler(settings), markov=pair.drafter.markov)
        previous = anchor
        for i, token in enumerate(drawn.tokens):
            row = capped(pair.drafter.base[i], cap) + pair.drafter.bias[previous]
            wanted = filtered(row, settings)
            assert drawn.distributions[i].at(wanted.ids) == pytest.approx(wanted.probabilities, abs=1e-4)
            previous = token
    assert changed if cap < 10 else True, "the graph's own chain would have done, so nothing was tested"


def test_without_a_markov_head_the_cap_still_flattens_the_odds() -> None:
    settings = SamplingSettings(temperature=1.0, seed=1, **ALL)  # type: ignore[arg-type]
    pair = capped_pair(5.0)
    assert pair.drafter is not None
    pair.drafter.bias[:] = 0
    block = pair.drafter.block(0, 3)
    drawn = sampled(block, 0, history=[], sampler=Sampler(settings), markov=None)
    wanted = filtered(capped(pair.drafter.base[0], 5.0), settings)
    assert drawn.distributions[0].at(wanted.ids) == pytest.approx(wanted.probabilities, abs=1e-4)


def test_a_cap_does_not_make_impossible_tokens_possible() -> None:
    """Suppressed tokens, and those a draft's smaller vocabulary lacks, have no chance before the cap and after it."""
    pair = capped_pair(5.0)
    assert pair.drafter is not None
    pair.drafter.base[:, 2] = -np.inf
    settings = SamplingSettings(temperature=5.0, seed=1, **ALL)  # type: ignore[arg-type]
    for anchor in range(6):
        block = pair.drafter.block(anchor, 7)
        drawn = sampled(block, anchor, history=[], sampler=Sampler(settings), markov=pair.drafter.markov)
        assert 2 not in drawn.tokens and 2 not in greedy(block, anchor, markov=pair.drafter.markov).tokens
