"""Conversations put aside over llama.cpp: what comes back goes on as if nothing had come between."""

from dataclasses import replace
from pathlib import Path

import pytest

from sparkdesk.engine.kv_snapshots import KvSnapshots
from sparkdesk.engine.pair import Pair
from sparkdesk.engine.settings import Control, GenerationSettings, LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.engine.speculate import generate
from sparkdesk.engine.window import WindowPlan
from tests.converters.gemma4_checkpoints import make_gemma4_pair
from tests.converters.gemma4_native import convert_pair
from tests.engine.tables import Run, collect

pytestmark = pytest.mark.native

GREEDY = SamplingSettings(temperature=0)


def saves_everything(pair: Pair) -> Pair:
    """As if reading took an age, so that every switch is worth it, however fast these small models are."""
    pair.saved = KvSnapshots(500_000_000)
    pair.saved.learn_reading(1000, 1e6)
    return pair


def answer(pair: Pair, tokens: list[int], *, length: int | None, max_tokens: int = 24) -> Run:
    speculation = SpeculationSettings(is_enabled=length != 0, draft_length=length or None)
    settings = GenerationSettings(max_tokens, sampling=GREEDY, speculation=speculation)
    return collect(generate(pair, tokens, settings, Control(speculation)))


def check_three_that_alternate(pair: Pair, texts: list[list[int]], *, length: int, follow_up: list[int]) -> None:
    """Each goes on as in a pair that has seen nothing else, and reads only what is new."""
    expected = []
    for text in texts:
        pair.saved = KvSnapshots(0)
        pair.target.truncate(0)
        first = answer(pair, text, length=length)
        again = [*text, *first.tokens, *follow_up]
        pair.target.truncate(0)
        if pair.drafter is not None:
            pair.drafter.truncate(0)
        expected.append((again, answer(pair, again, length=length)))
    saves_everything(pair)
    for text in texts:
        answer(pair, text, length=length)
    for again, alone in expected:
        found = answer(pair, again, length=length)
        if found.tokens != alone.tokens:  # other batches: the last bits may differ
            at = next(i for i, (a, b) in enumerate(zip(found.tokens, alone.tokens, strict=False)) if a != b)
            margin = pair.compare((*again, *found.tokens[:at]), found.tokens[at], alone.tokens[at])
            assert abs(margin.margin) <= 4 * margin.noise, f"diverged at token {at}"
        assert found.outcome.stats.prefilled_tokens <= len(follow_up) + 1
        if length:
            assert found.outcome.stats.accepted_length == pytest.approx(alone.outcome.stats.accepted_length, rel=0.25)


@pytest.mark.parametrize("length", [0, 3])
def test_conversations_that_alternate_are_answered_as_if_they_were_alone(
    tiny_load_settings: LoadSettings, length: int
) -> None:
    questions = ("Count from 3 to 40.", "Tell me a little story.", "What is 17 + 25? And what is 30 + 12?")
    with Pair.open(tiny_load_settings) as pair:
        texts = [
            list(pair.tokenize(f"<|im_start|>user\n{question * 3}<|im_end|>\n<|im_start|>assistant\n"))
            for question in questions
        ]
        follow_up = list(pair.tokenize("<|im_end|>\n<|im_start|>user\nGo on.<|im_end|>\n<|im_start|>assistant\n"))
        check_three_that_alternate(pair, texts, length=length, follow_up=follow_up)


def test_features_that_wait_come_back_too(tiny_load_settings: LoadSettings) -> None:
    """Put aside while speculation was off: the draft has seen nothing, and must catch up when it is switched on."""
    with Pair.open(tiny_load_settings) as pair:
        one, other = (
            list(pair.tokenize(f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"))
            for text in ("Count from 1 to 60." * 3, "Tell me a story." * 8)
        )
        assert pair.drafter is not None
        saves_everything(pair)
        begun = answer(pair, one, length=0, max_tokens=30)
        waiting = pair.drafter.waiting
        answer(pair, other, length=0)
        again = [*one, *begun.tokens]
        done = answer(pair, again, length=3, max_tokens=60)
        assert waiting > 30 and done.outcome.stats.prefilled_tokens <= 2
        assert done.rounds[1].absorbed >= waiting - 1
        assert done.outcome.stats.accepted_length > 2


@pytest.mark.parametrize("keeps_whole", [True, False])
def test_sliding_windows_come_back_or_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keeps_whole: bool
) -> None:
    """A cache that keeps little more than its window can only be brought back where nothing before it is needed."""
    plan = WindowPlan(keeps_whole, "")
    monkeypatch.setattr("sparkdesk.engine.pair.plan_window", lambda *given, **more: plan)
    target, draft = convert_pair(tmp_path, *make_gemma4_pair(tmp_path))
    settings = LoadSettings(str(target), str(draft), context_tokens=2048, threads=1)
    texts = [[40 + first, *range(60, 60 + 300), *range(60, 60 + 300), *range(60, 60 + 100)] for first in range(3)]
    with Pair.open(settings) as pair:
        assert pair.draft_problem == ""
        check_three_that_alternate(pair, texts, length=3, follow_up=[41, 42, 43])
        changed_early = [*texts[0][:50], 55, *texts[0][50:]]
        found = answer(pair, changed_early, length=3)
        pair.saved = KvSnapshots(0)
        pair.target.truncate(0)
        assert found.tokens == answer(pair, changed_early, length=3).tokens


def test_the_budget_follows_what_is_free(tiny_load_settings: LoadSettings) -> None:
    with Pair.open(tiny_load_settings) as pair:
        assert 10_000_000 < pair.saved.budget_bytes <= 4_000_000_000
    with Pair.open(replace(tiny_load_settings, saved_states_bytes=0)) as pair:
        assert pair.saved.budget_bytes == 0
