"""Sampling with speculation has plain sampling's distribution: a seeded chi-square test against exact probabilities."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from sparkdesk.bench.lab.simulation import SMOOTH
from sparkdesk.engine import proposal
from sparkdesk.engine.proposal import Proposal
from sparkdesk.engine.sampling import Sampler
from sparkdesk.engine.scheduling.lengths import CONTEXT, DRAFT, PLAIN, Choice, Plan, Situation
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from tests.engine.chi_square import upper_quantile
from tests.engine.clocked import ClockedTuner
from tests.engine.tables import ScriptedPair, random_pair, run, step_by_step

SETTINGS = [
    SamplingSettings(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    for temperature, top_k, top_p, min_p in (
        (0.7, 0, 1.0, 0.0),
        (0.7, 4, 0.9, 0.0),
        (1.0, 0, 1.0, 0.0),
        (1.0, 4, 1.0, 0.0),
        (1.0, 0, 0.9, 0.05),
    )
]
REPLIES = 60
REPLY_TOKENS = 240
pytestmark = pytest.mark.slow
FALSE_ALARM = 1e-4
MISSED_ALARM = 1e-12


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("length", [1, 3, 7])
def test_speculative_sampling_is_distributed_as_plain_sampling(settings: SamplingSettings, length: int) -> None:
    """Counts of token triples over many replies, against the chain's exact transition probabilities.

    A residual that is not renormalized, a q that is not the one drawn from, or a Markov bias left from the greedy chain
    shifts these counts far beyond the bound.
    """
    statistic, freedom = chi_square(settings, length, seed=length)
    assert statistic < upper_quantile(freedom, FALSE_ALARM)


def test_a_greedy_draft_keeps_the_distribution_too() -> None:
    """The exact-match rule, and later any other source of certain tokens, is speculative sampling from one token."""
    statistic, freedom = chi_square(SETTINGS[2], 3, seed=4, drafts_greedily=True)
    assert statistic < upper_quantile(freedom, FALSE_ALARM)


def test_the_test_notices_a_wrong_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accepting every drafted token must not pass."""
    monkeypatch.setattr("sparkdesk.engine.accept.is_accepted", lambda p, q, token, uniform: True)
    statistic, freedom = chi_square(SamplingSettings(temperature=1.0, top_k=0, top_p=1.0), 3, seed=3)
    assert statistic > upper_quantile(freedom, MISSED_ALARM)


def test_the_test_notices_a_residual_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replacing a rejected token from p itself must not pass."""
    monkeypatch.setattr("sparkdesk.engine.accept.residual", lambda p, q: p)
    statistic, freedom = chi_square(SamplingSettings(temperature=1.0, top_k=0, top_p=1.0), 3, seed=3)
    assert statistic > upper_quantile(freedom, MISSED_ALARM)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_scheduler_keeps_the_distribution(settings: SamplingSettings) -> None:
    """Lengths that follow confidences, costs and past luck, parking, and text repeated from the context."""
    pair = scheduled_pair()
    statistic, freedom = chi_square(settings, 0, seed=8, pair=pair, speculation=SpeculationSettings())
    assert statistic < upper_quantile(freedom, FALSE_ALARM)
    assert isinstance(pair.tuner, ClockedTuner)
    played = [(played.choice.source, played.choice.length) for played in pair.tuner.rounds]
    assert {source for source, _ in played} == {DRAFT, CONTEXT, PLAIN}, "every kind of round was put to the test"
    assert len({length for source, length in played if source == DRAFT}) > 3


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("length", [1, 3])
def test_a_sequential_draft_of_fixed_length_keeps_the_distribution(settings: SamplingSettings, length: int) -> None:
    statistic, freedom = chi_square(settings, length, seed=4, pair=step_by_step(random_pair(5)))
    assert statistic < upper_quantile(freedom, FALSE_ALARM)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_sequential_draft_that_stops_between_steps_keeps_the_distribution(settings: SamplingSettings) -> None:
    pair = step_by_step(scheduled_pair())
    statistic, freedom = chi_square(settings, 0, seed=10, pair=pair, speculation=SpeculationSettings())
    assert statistic < upper_quantile(freedom, FALSE_ALARM)
    assert isinstance(pair.tuner, ClockedTuner)
    assert len({played.choice.length for played in pair.tuner.rounds if played.choice.source == DRAFT}) > 2


def test_the_test_notices_a_sequential_draft_cut_by_what_was_drawn() -> None:
    """All that was drafted must be verified: leaving out tokens that were unlikely is peeking."""
    pair = step_by_step(random_pair(5))
    pair.tuner = Picky(SMOOTH)
    settings = SamplingSettings(temperature=1.0, top_k=0, top_p=1.0)
    statistic, freedom = chi_square(settings, 0, seed=8, pair=pair, speculation=SpeculationSettings())
    assert statistic > upper_quantile(freedom, MISSED_ALARM)


class Picky(ClockedTuner):
    """Verifies only what comes before the draft's first doubt, which hangs on what was drawn."""

    def plan(self, situation: Situation) -> Plan:
        return Plan(min(3, situation.most))

    def choose(self, situation: Situation, drafted: int, confidences: Sequence[float]) -> Choice:
        length = next((i for i, said in enumerate(confidences[1:]) if said < 0.45), drafted)
        return Choice(DRAFT, length) if length else Choice()

    def goes_on(self, situation: Situation, confidences: Sequence[float]) -> bool:
        return True


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_prompt_lookup_without_a_draft_keeps_the_distribution(settings: SamplingSettings) -> None:
    pair = scheduled_pair()
    pair.drafter = None
    statistic, freedom = chi_square(settings, 0, seed=9, pair=pair, speculation=SpeculationSettings())
    assert statistic < upper_quantile(freedom, FALSE_ALARM)
    assert isinstance(pair.tuner, ClockedTuner)
    assert {played.choice.source for played in pair.tuner.rounds} == {CONTEXT, PLAIN}


def test_the_test_notices_a_scheduler_that_peeks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Causality: a length that depends on which token was drawn shifts the distribution, and must not pass."""
    sampled = proposal.sampled

    def leaking(*arguments: Any, **keywords: Any) -> Proposal:
        found = sampled(*arguments, **keywords)
        return replace(found, confidences=tuple(0.99 if token < 2 else 0.01 for token in found.tokens))

    monkeypatch.setattr("sparkdesk.engine.proposal.sampled", leaking)
    pair = scheduled_pair()
    pair.tuner = Peeking()
    settings = SamplingSettings(temperature=1.0, top_k=0, top_p=1.0)
    statistic, freedom = chi_square(settings, 0, seed=8, pair=pair, speculation=SpeculationSettings())
    assert statistic > upper_quantile(freedom, MISSED_ALARM)


class Peeking(ClockedTuner):
    """Verifies a token only if it likes it."""

    def plan(self, situation: Situation) -> Plan:
        return Plan(min(3, situation.most))

    def choose(self, situation: Situation, drafted: int, confidences: Sequence[float]) -> Choice:
        length = next((i for i, said in enumerate(confidences) if said < 0.5), drafted)
        return Choice(DRAFT, length) if length else Choice()


def scheduled_pair() -> ScriptedPair:
    """A pair whose confidences go up and down with the context, as a head's do, on a machine where both ways pay."""
    pair = random_pair(5)
    assert pair.drafter is not None
    pair.drafter.confidence_by_anchor = np.random.default_rng(3).uniform(0.05, 0.99, (len(pair.target.table), 7))
    pair.tuner = ClockedTuner(SMOOTH)
    return pair


def chi_square(
    settings: SamplingSettings,
    length: int,
    *,
    seed: int,
    drafts_greedily: bool = False,
    pair: ScriptedPair | None = None,
    speculation: SpeculationSettings | None = None,
) -> tuple[float, int]:
    """Pearson's statistic of the second and third token of each triple, given the first; and its degrees of freedom."""
    pair = pair or random_pair(5)
    size = pair.target.vocabulary_size
    sampler = Sampler(settings)
    exact = np.zeros((size, size))
    for token in range(size):
        distribution = sampler.distribution(pair.target.table[token], [])
        exact[token, distribution.ids] = distribution.probabilities
    counts: Counter[tuple[int, int, int]] = Counter()
    for reply in range(REPLIES):
        seeded = replace(settings, seed=1000 * seed + reply)
        text = run(
            pair,
            [reply % size],
            length=length,
            max_tokens=REPLY_TOKENS,
            sampling=seeded,
            drafts_greedily=drafts_greedily,
            speculation=speculation,
        ).tokens
        counts.update(zip(text[0::3], text[1::3], text[2::3], strict=False))
    statistic, freedom = 0.0, 0
    for first in range(size):
        total = sum(count for triple, count in counts.items() if triple[0] == first)
        cells = {(b, c): total * exact[first, b] * exact[b, c] for b, c in product(range(size), repeat=2)}
        large = [cell for cell, expected in cells.items() if expected >= 5]
        rest = total - sum(cells[cell] for cell in large)
        observed_rest = total - sum(counts[first, b, c] for b, c in large)
        statistic += sum((counts[first, b, c] - cells[b, c]) ** 2 / cells[b, c] for b, c in large)
        freedom += len(large) - 1
        if rest >= 5:
            statistic += (observed_rest - rest) ** 2 / rest
            freedom += 1
        else:
            assert observed_rest <= rest + 12, "tokens appeared that the settings exclude"
    return statistic, freedom
