"""The engine over llama.cpp: the same text as plain decoding, the same distribution, caches that stay usable."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.engine.drafters.dspark import DSparkDrafter
from sparkdesk.engine.pair import Pair
from sparkdesk.engine.sampling import filtered, overlap
from sparkdesk.engine.settings import Control, GenerationSettings, LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.engine.speculate import generate
from sparkdesk.errors import ContextFull, ModelLoadError
from sparkdesk.machine.cores import read_cores
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.protocol import Finished
from tests.engine.chi_square import upper_quantile
from tests.engine.tables import Run, collect

pytestmark = pytest.mark.native

QUESTIONS = (
    "Count from 3 to 21.",
    "What is 17 + 25?",
    "What is the capital of France?",
    "Write a Python function double_it that takes a number and multiplies by 2.",
    "Sort these words: pear, apple, fig.",
    "Tell me a little story.",
    "Hello",
)


def ask(pair: Pair, question: str) -> tuple[int, ...]:
    return pair.tokenize(f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n")


def answer(
    pair: Pair,
    tokens: tuple[int, ...],
    *,
    length: int,
    max_tokens: int = 60,
    sampling: SamplingSettings | None = None,
    ends: frozenset[int] | None = None,
) -> Run:
    speculation = SpeculationSettings(is_enabled=length > 0, draft_length=length or None)
    settings = GenerationSettings(
        max_tokens=max_tokens,
        stop_tokens=frozenset(pair.info.end_tokens) if ends is None else ends,
        sampling=sampling or SamplingSettings(temperature=0),
        speculation=speculation,
    )
    return collect(generate(pair, tokens, settings, Control(speculation)))


@pytest.fixture(scope="module")
def pair(tiny_load_settings: LoadSettings) -> Iterator[Pair]:
    with Pair.open(tiny_load_settings) as opened:
        yield opened


@pytest.mark.parametrize("question", QUESTIONS)
def test_greedy_text_equals_plain_decoding_at_every_length(pair: Pair, question: str) -> None:
    """Where it differs, the two tokens must have been closer than the noise between batch sizes."""
    prompt = ask(pair, question)
    plain = answer(pair, prompt, length=0).tokens
    for length in range(1, 8):
        speculative = answer(pair, prompt, length=length).tokens
        if speculative != plain:
            at = next(i for i, (a, b) in enumerate(zip(plain, speculative, strict=False)) if a != b)
            found = pair.compare((*prompt, *plain[:at]), plain[at], speculative[at])
            assert abs(found.margin) <= 4 * found.noise, f"diverged at token {at} with draft length {length}"


def test_the_draft_is_worth_something(pair: Pair) -> None:
    done = answer(pair, ask(pair, "Count from 1 to 30."), length=3, max_tokens=80)
    assert done.outcome.stats.accepted_length > 2.5


@pytest.mark.parametrize(
    "sampling",
    [
        SamplingSettings(temperature=0.7, top_k=0, top_p=1.0),
        SamplingSettings(temperature=1.0, top_k=0, top_p=1.0),
        SamplingSettings(temperature=0.7, top_k=20, top_p=0.8),
        SamplingSettings(temperature=1.0, top_k=40, top_p=0.95),
    ],
    ids=["0.7", "1.0", "0.7 top-k 20 top-p 0.8", "1.0 top-k 40 top-p 0.95"],
)
def test_sampled_replies_have_the_targets_distribution(pair: Pair, sampling: SamplingSettings) -> None:
    """Chi-square of the second and third token of many short replies against the target's exact probabilities.

    The first token comes with the prefill; the next two come out of a speculative round. False alarms: 1 in 10,000.
    """
    prompt, exact = _open_place(pair, sampling)
    counts: Counter[tuple[int, ...]] = Counter()
    replies = 700
    for seed in range(replies):
        seeded = replace(sampling, seed=seed)
        reply = answer(pair, prompt, length=5, max_tokens=3, sampling=seeded, ends=frozenset())
        counts[reply.tokens[1:]] += 1
    large = [key for key, p in exact.items() if p * replies >= 5]
    rest = replies * (1 - sum(exact[key] for key in large))
    observed_rest = replies - sum(counts[key] for key in large)
    statistic = sum((counts[key] - replies * exact[key]) ** 2 / (replies * exact[key]) for key in large)
    if rest > 1:
        statistic += (observed_rest - rest) ** 2 / rest
    assert len(large) >= 4, "the prompt leaves nothing to choose, so nothing was tested"
    assert statistic < upper_quantile(len(large), 1e-4)


def _open_place(pair: Pair, sampling: SamplingSettings) -> tuple[tuple[int, ...], dict[tuple[int, int], float]]:
    """The place in a story where most continuations are likely, and their exact probabilities."""
    prompt = ask(pair, "Tell me a little story.")
    story = answer(pair, prompt, length=0, max_tokens=24, sampling=replace(sampling, seed=1)).tokens
    places = [(*prompt, *story[:length]) for length in range(0, len(story), 2)]
    found = [(place, _exact_second_and_third(pair, place, sampling)) for place in places]
    return max(found, key=lambda place: sum(0.01 < p < 0.6 for p in place[1].values()))


def _row(pair: Pair, tokens: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Logits after `tokens`, by plain decoding."""
    pair.target.truncate(0)
    if pair.drafter is not None:
        pair.drafter.truncate(0)
    row: np.ndarray[Any, Any] = pair.target.decode(tokens, all_rows=False)[0].copy()
    return row


def _exact_second_and_third(
    pair: Pair, prompt: tuple[int, ...], sampling: SamplingSettings
) -> dict[tuple[int, int], float]:
    """Probabilities of (token 2, token 3), token 1 summed out, over everything likelier than one in 2,000."""
    exact: dict[tuple[int, int], float] = {}
    first = filtered(_row(pair, prompt), sampling)
    for a, p_a in zip(first.ids.tolist(), first.probabilities.tolist(), strict=True):
        if p_a < 5e-4:
            continue
        second = filtered(_row(pair, (*prompt, a)), sampling)
        for b, p_b in zip(second.ids.tolist(), second.probabilities.tolist(), strict=True):
            if p_a * p_b < 5e-4:
                continue
            third = filtered(_row(pair, (*prompt, a, b)), sampling)
            for c, p_c in zip(third.ids.tolist(), third.probabilities.tolist(), strict=True):
                exact[b, c] = exact.get((b, c), 0.0) + p_a * p_b * p_c
    return exact


def test_the_first_drafted_token_is_accepted_as_often_as_the_distributions_overlap(
    pair: Pair, record_property: Any
) -> None:
    """Real speculative sampling accepts with probability sum(min(p, q))."""
    assert isinstance(pair.drafter, DSparkDrafter)
    sampling = SamplingSettings(temperature=1.0, top_k=0, top_p=1.0)
    accepted = overlaps = verified = 0.0
    for seed, question in enumerate(QUESTIONS * 24):
        seeded = replace(sampling, seed=seed)
        for index, share in _first_positions(pair, ask(pair, question), seeded):
            accepted += index
            overlaps += share
            verified += 1
    record_property("first-token acceptance", accepted / verified)
    assert abs(accepted - overlaps) / verified < 0.02


def _first_positions(pair: Pair, prompt: tuple[int, ...], sampling: SamplingSettings) -> Iterator[tuple[float, float]]:
    """For each round of a reply: was the first drafted token accepted, and the overlap of p and q there."""
    reply = answer(pair, prompt, length=1, max_tokens=60, sampling=sampling)
    tokens = list(prompt)
    for done in reply.rounds:
        if done.verified:
            yield float(done.accepted > 0), _overlap_after(pair, tuple(tokens), sampling)
        tokens.extend(done.tokens)


def _overlap_after(pair: Pair, tokens: tuple[int, ...], sampling: SamplingSettings) -> float:
    """sum(min(p, q)) for the token after `tokens`, both computed afresh."""
    assert isinstance(pair.drafter, DSparkDrafter)
    pair.target.truncate(len(tokens) - 1)
    pair.drafter.truncate(len(tokens) - 1)
    if pair.target.tokens != list(tokens[: pair.target.length]) or pair.drafter.length < pair.target.length:
        pair.target.truncate(0)
        pair.drafter.truncate(0)
    if pair.target.length < len(tokens) - 1:
        part = tokens[pair.target.length : -1]
        pair.target.decode(part, all_rows=False)
        pair.drafter.keep(pair.target, len(part))
    pair.drafter.absorb()
    q = filtered(pair.drafter.block(tokens[-1], 1).logits[0].copy(), sampling)
    p = filtered(pair.target.decode(tokens[-1:], all_rows=True)[0], sampling)
    pair.target.truncate(len(tokens) - 1)
    return overlap(p, q)


def test_what_is_loaded_is_described_once(pair: Pair) -> None:
    """Every round asks for it; describing a vocabulary anew cost as much as half a round."""
    assert pair.info is pair.info


def test_a_second_turn_prefills_only_what_is_new(pair: Pair) -> None:
    prompt = ask(pair, "Count from 1 to 12.")
    first = answer(pair, prompt, length=3)
    follow_up = pair.tokenize("<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n")
    second = answer(pair, (*prompt, *first.tokens, *follow_up), length=3)
    assert second.outcome.stats.prefilled_tokens <= len(follow_up) + 1


@pytest.mark.parametrize("stop_after", [1, 2, 3, 5])
def test_a_reply_closed_early_leaves_both_caches_usable(pair: Pair, stop_after: int) -> None:
    prompt = ask(pair, "Count from 2 to 25.")
    expected = answer(pair, prompt, length=3)
    speculation = SpeculationSettings(draft_length=3)
    settings = GenerationSettings(max_tokens=60, sampling=SamplingSettings(temperature=0), speculation=speculation)
    stream = generate(pair, prompt, settings, Control(speculation))
    for _ in range(stop_after):
        next(stream)
    stream.close()  # type: ignore[attr-defined]
    again = answer(pair, prompt, length=3)
    assert again.tokens == expected.tokens
    assert again.outcome.stats.accepted_length == pytest.approx(expected.outcome.stats.accepted_length, rel=0.1)


def test_switching_in_mid_reply_needs_no_new_prefill_and_no_reload(pair: Pair) -> None:
    """Features of rows decoded while speculation was off reach the draft in one absorb."""
    prompt = ask(pair, "Count from 1 to 40.")
    speculation = SpeculationSettings(is_enabled=False, draft_length=3)
    settings = GenerationSettings(max_tokens=100, sampling=SamplingSettings(temperature=0), speculation=speculation)
    control, rounds = Control(speculation), []
    for event in generate(pair, prompt, settings, control):
        if hasattr(event, "verified"):
            rounds.append(event)
            if len(rounds) == 30:
                control.speculation = SpeculationSettings(draft_length=3)
    plain, switched = rounds[1:30], rounds[30:]
    assert all(len(r.tokens) == 1 for r in plain)  # type: ignore[union-attr]
    late = [len(r.tokens) for r in switched if r.verified == 3]  # type: ignore[union-attr]
    assert sum(late) / len(late) > 2.0


def test_a_prompt_longer_than_the_context_is_refused(pair: Pair) -> None:
    with pytest.raises(ContextFull, match="the context holds"):
        answer(pair, tuple([5] * (pair.target.context_tokens + 1)), length=3)


def test_a_wrong_draft_leaves_a_target_that_still_answers(
    tiny_load_settings: LoadSettings, synthetic_pair: Any, tmp_path: Path
) -> None:
    """Plain decoding is always possible; the reason is told."""
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(Path(synthetic_pair.draft).read_bytes()[:-1000])
    for draft, reason in (
        (str(synthetic_pair.draft), "Pick the target"),
        (tiny_load_settings.target_path, "not a DSpark draft"),
        (str(cut), "cut short"),
        (str(tmp_path / "missing.gguf"), "no file"),
    ):
        with Pair.open(replace(tiny_load_settings, draft_path=draft)) as alone:
            assert reason in alone.info.draft_problem
            assert answer(alone, ask(alone, "Count from 1 to 5."), length=3, max_tokens=10).tokens


def test_a_broken_target_is_refused_in_one_sentence(tiny_load_settings: LoadSettings, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(Path(tiny_load_settings.target_path).read_bytes()[:-1000])
    with pytest.raises(ModelLoadError, match="cut short"):
        Pair.open(replace(tiny_load_settings, target_path=str(cut)))


def test_where_the_user_does_not_say_the_number_of_threads_is_tried_and_remembered(
    tiny_load_settings: LoadSettings,
) -> None:
    settings = replace(tiny_load_settings, threads=0, most_threads=2)
    usable = read_cores().usable
    with Pair.open(settings) as first:
        assert 1 <= first.info.threads <= min(2, usable) and first.info.batch_threads == usable
        state = json.loads(json.dumps(first.state()))
        text = answer(first, ask(first, QUESTIONS[0]), length=3).tokens
    assert state["threads"]["loads"] in (0, 1), "on a busy machine there may be no time to try them all"
    with Pair.open(settings, recall=lambda info: state) as second:
        assert second.info.threads == first.info.threads or usable > 1
        assert answer(second, ask(second, QUESTIONS[0]), length=3).tokens == text


def test_a_number_of_the_users_own_is_used_for_everything(tiny_load_settings: LoadSettings) -> None:
    with Pair.open(replace(tiny_load_settings, threads=1)) as pair:
        assert (pair.info.threads, pair.info.batch_threads) == (1, 1)
        assert pair.state()["threads"] == {"least_ms": {}, "loads": 0}


def test_a_model_is_found_under_a_name_that_is_no_text(synthetic_pair: SyntheticPair, tmp_path: Path) -> None:
    """Names on a disk are bytes; this one is no UTF-8."""
    target = tmp_path / os.fsdecode(b"caf\xe9 \xff.gguf")
    target.hardlink_to(synthetic_pair.target)
    with EngineClient() as client:
        list(client.load(LoadSettings(str(target), context_tokens=256, threads=1)))
        *_, last = client.generate(synthetic_pair.prompt_tokens, GenerationSettings(max_tokens=2))
        assert isinstance(last, Finished) and last.stats.generated == 2
