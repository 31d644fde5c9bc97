"""Grammars over scripted parts: the target's distribution over what is allowed, with and without speculation."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sparkdesk.engine import constrained_sampling
from sparkdesk.engine.sampling import filtered
from sparkdesk.engine.settings import GrammarSettings, SamplingSettings, SpeculationSettings
from sparkdesk.errors import EngineError
from tests.engine.chi_square import upper_quantile
from tests.engine.clocked import ClockedTuner
from tests.engine.tables import ScriptedPair, TableConstraint, cycle_pair, random_pair, run

GRAMMAR = GrammarSettings(gbnf="root ::= [a-f]+")
SETTINGS = [
    SamplingSettings(temperature=0.7, top_k=0, top_p=1.0),
    SamplingSettings(temperature=1.3, top_k=0, top_p=1.0),
    SamplingSettings(temperature=0.7, top_k=3, top_p=0.9),
    SamplingSettings(temperature=1.0, top_k=0, top_p=0.8, min_p=0.05),
    SamplingSettings(temperature=1.0, top_k=4, top_p=1.0, repeat_penalty=1.3),
]


class Only:
    """Allows some tokens, wherever the text stands."""

    def __init__(self, may: NDArray[np.bool_]) -> None:
        self.may, self.asked = may, 0

    def allowed(self, ids: NDArray[np.intp]) -> NDArray[np.bool_]:
        self.asked += len(ids)
        found: NDArray[np.bool_] = self.may[ids]
        return found

    def accept(self, token: int) -> None:
        pass

    def copy(self) -> "Only":
        return self

    def close(self) -> None:
        pass


@given(
    st.integers(0, 10**6),
    st.sampled_from([0.3, 1.0, 2.0]),
    st.sampled_from([0, 1, 5, 40]),
    st.sampled_from([1.0, 0.95, 0.5]),
    st.sampled_from([0.0, 0.02, 0.3]),
    st.sampled_from([0.001, 0.05, 0.5, 1.0]),
    st.sampled_from([1.0, 3.0, 8.0]),
)
def test_looking_only_as_far_down_as_needed_changes_nothing(
    seed: int, temperature: float, top_k: int, top_p: float, min_p: float, share: float, spread: float
) -> None:
    """The same as filtering a row in which everything forbidden is impossible, over a vocabulary of several steps."""
    random = np.random.default_rng(seed)
    row = random.normal(0, spread, 20_000).astype(np.float32)
    row[random.integers(0, len(row), 50)] = -np.inf
    may = random.random(len(row)) < share
    may[int(random.integers(0, len(row)))] = True
    masked = np.where(may, row, -np.inf).astype(np.float32)
    if np.isneginf(masked).all():
        return
    settings = SamplingSettings(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    found = constrained_sampling.distribution(row, settings, Only(may))
    expected = filtered(masked, settings)
    assert may[found.ids].all()
    assert np.abs(found.at(expected.ids) - expected.probabilities).sum() < 1e-5
    assert found.probabilities.sum() == pytest.approx(1)
    assert row[constrained_sampling.best(row, Only(may))] == masked.max()


def test_few_tokens_are_asked_about_where_few_decide() -> None:
    """Asking about 150,000 takes llama.cpp longer than a small model's step."""
    row = np.random.default_rng(1).normal(0, 3, 150_000).astype(np.float32)
    row[:5] = [30, 29, 28, 27, 26]
    constraint = Only(np.arange(len(row)) != 0)
    assert constrained_sampling.best(row, constraint) == 1
    constrained_sampling.distribution(row, SamplingSettings(temperature=0.7, top_k=20, top_p=0.8), constraint)
    assert constraint.asked < 300


def test_the_whole_vocabulary_is_asked_where_only_the_unlikeliest_is_allowed() -> None:
    row = np.random.default_rng(1).normal(0, 3, 50_000).astype(np.float32)
    last = int(row.argmin())
    constraint = Only(np.arange(len(row)) == last)
    assert constrained_sampling.best(row, constraint) == last
    assert constrained_sampling.distribution(row, SamplingSettings(), constraint).probability(last) == 1


def test_a_place_where_nothing_is_allowed_is_told() -> None:
    row = np.zeros(300, np.float32)
    with pytest.raises(EngineError, match="allows nothing"):
        constrained_sampling.best(row, Only(np.zeros(300, bool)))
    with pytest.raises(EngineError, match="allows nothing"):
        constrained_sampling.distribution(row, SamplingSettings(), Only(np.zeros(300, bool)))


def constrained_pair(seed: int, vocabulary: int = 6) -> ScriptedPair:
    """Every token may be followed by about half of the others."""
    pair = random_pair(seed, vocabulary)
    may = np.random.default_rng(seed).random((vocabulary, vocabulary)) < 0.5
    may[np.arange(vocabulary), (np.arange(vocabulary) + 1) % vocabulary] = True
    pair.may_follow = may
    return pair


@pytest.mark.parametrize("length", [1, 3, 7])
def test_greedy_text_is_that_of_plain_decoding(length: int) -> None:
    for seed in range(30):
        plain = run(constrained_pair(seed), [0], length=0, grammar=GRAMMAR).tokens
        assert run(constrained_pair(seed), [0], length=length, grammar=GRAMMAR).tokens == plain


def test_greedy_text_is_that_of_plain_decoding_with_the_scheduler_and_repeated_text() -> None:
    for seed in range(10):
        plain = run(constrained_pair(seed), [0], length=0, max_tokens=150, grammar=GRAMMAR).tokens
        pair = constrained_pair(seed)
        pair.tuner = ClockedTuner()
        tuned = run(pair, [0], length=0, max_tokens=150, grammar=GRAMMAR, speculation=SpeculationSettings())
        assert tuned.tokens == plain


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "length", "drafts_greedily"),
    [
        *((settings, length, False) for settings in SETTINGS[:4] for length in (3, None)),
        (SETTINGS[0], 0, False),
        (SETTINGS[1], 1, False),
        (SETTINGS[2], 7, False),
        (SETTINGS[1], 3, True),
        (SETTINGS[3], None, True),
    ],
)
def test_constrained_text_has_the_targets_distribution_over_what_is_allowed(
    settings: SamplingSettings, length: int | None, drafts_greedily: bool
) -> None:
    """Chi-square of token pairs against the exact transition probabilities. False alarms: 1 in 10,000 each.

    A bonus token drawn from p where the residual belongs, a draft length that follows a token drawn by chance, or a q
    that is not renormalized over what is allowed shifts these counts.
    """
    statistic, freedom = chi_square(settings, length, drafts_greedily=drafts_greedily)
    assert statistic < upper_quantile(freedom, 1e-4)


@pytest.mark.slow
def test_the_test_notices_a_draft_that_ignores_the_grammar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens cut off because they are forbidden, and the next one drawn from p, are not p's."""

    def cut(pair: ScriptedPair) -> None:
        def chain(block: object, anchor: int, constraint: TableConstraint, **rest: object) -> object:
            from sparkdesk.engine import proposal

            whole = proposal.sampled(block, anchor, **rest)  # type: ignore[arg-type]
            return proposal.cut_to_allowed(whole, constraint)

        monkeypatch.setattr("sparkdesk.engine.proposal.constrained_sampled", chain)

    cut(constrained_pair(5))
    statistic, freedom = chi_square(SETTINGS[1], 3, replies=100)
    assert statistic > upper_quantile(freedom, 1e-12)


def chi_square(
    settings: SamplingSettings, length: int | None, *, drafts_greedily: bool = False, replies: int = 36
) -> tuple[float, int]:
    pair = constrained_pair(5)
    if length is None:
        pair.tuner = ClockedTuner()
    assert pair.may_follow is not None
    size = pair.target.vocabulary_size
    exact = np.zeros((size, size))
    for token in range(size):
        masked = np.where(pair.may_follow[token], pair.target.table[token], -np.inf)
        found = filtered(masked, settings)
        exact[token, found.ids] = found.probabilities
    counts: Counter[tuple[int, int]] = Counter()
    for reply in range(replies):
        pair.start = reply % size
        text = run(
            pair,
            [pair.start],
            length=length or 0,
            max_tokens=240,
            sampling=replace(settings, seed=1000 + reply),
            speculation=SpeculationSettings(length != 0, length, drafts_greedily),
            grammar=GRAMMAR,
        ).tokens
        counts.update(zip(text[0::2], text[1::2], strict=False))
    statistic, freedom = 0.0, 0
    for first in range(size):
        total = sum(count for pair_, count in counts.items() if pair_[0] == first)
        expected = total * exact[first]
        observed = np.array([counts[first, second] for second in range(size)], float)
        assert (observed[expected == 0] == 0).all(), "a token appeared that is forbidden"
        large = expected >= 5
        statistic += float(((observed[large] - expected[large]) ** 2 / expected[large]).sum())
        freedom += max(0, int(large.sum()) - 1)
    assert freedom > 5
    return statistic, freedom


def test_every_state_of_a_grammar_is_freed() -> None:
    """A copy is made every round; llama.cpp's hold memory that Python does not see."""
    pair = constrained_pair(2)
    run(pair, [0], length=3, grammar=GRAMMAR, sampling=SETTINGS[0])
    assert len(pair.opened) > 10
    assert all(each.is_closed for each in pair.opened)


def test_what_is_drafted_is_allowed() -> None:
    """A draft whose favourite is always forbidden still finds the next best, chained on the tokens really chosen."""
    pair = cycle_pair(8)
    may = np.ones((8, 8), bool)
    may[:, 3] = False  # 2 is followed by whatever comes next
    pair.may_follow = may
    done = run(pair, [0], length=5, grammar=GRAMMAR, max_tokens=60)
    assert 3 not in done.tokens
    assert done.outcome.stats.acceptance > 0.9
