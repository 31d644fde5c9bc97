"""A small model drafts: the same text at every length, the target's distribution, caches that stay usable."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sparkdesk.engine.drafters.small_model import SmallModelDrafter
from sparkdesk.engine.pair import Pair
from sparkdesk.engine.sampling import filtered
from sparkdesk.engine.settings import Control, GenerationSettings, LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.engine.speculate import generate
from tests.engine.chi_square import upper_quantile
from tests.engine.drafters.replies import GREEDY, answer
from tests.engine.tiny_gguf import FIRST_PLAIN, write_hybrid, write_plain

pytestmark = pytest.mark.native

PROMPT = tuple(int(token) for token in np.random.default_rng(2).integers(FIRST_PLAIN, 600, 16))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A target, and a draft that is its first two layers: it guesses the target's tokens now and then."""
    folder = tmp_path_factory.mktemp("small")
    write_plain(folder / "target.gguf", layers=6, damped=0.3)
    write_plain(folder / "draft.gguf", layers=2, damped=0.3)
    write_plain(folder / "padded.gguf", layers=2, damped=0.3, vocabulary=632)
    write_plain(folder / "short.gguf", layers=2, damped=0.3, vocabulary=590)
    write_plain(folder / "large.gguf", layers=7)
    write_plain(folder / "other.gguf", layers=2, words="word")
    write_hybrid(folder / "hybrid.gguf", layers=4)
    return folder


def opened(folder: Path, draft: str = "draft") -> Pair:
    settings = LoadSettings(str(folder / "target.gguf"), str(folder / f"{draft}.gguf"), context_tokens=512, threads=1)
    return Pair.open(settings)


@pytest.fixture(scope="module")
def pair(folder: Path) -> Iterator[Pair]:
    with opened(folder) as pair:
        yield pair


def test_it_is_told_by_its_header(pair: Pair) -> None:
    assert isinstance(pair.drafter, SmallModelDrafter)
    assert pair.info.block_size == 7 and not pair.info.draft_problem


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7, None])
def test_greedy_text_is_that_of_plain_decoding(pair: Pair, length: int | None) -> None:
    plain = answer(pair, PROMPT, length=0, max_tokens=120)
    drafted = answer(pair, PROMPT, length=length, max_tokens=120)
    assert drafted.tokens == plain.tokens
    if length is not None:
        assert drafted.outcome.stats.acceptance > 0.1, "some are right, or nothing is put to the test"
        assert drafted.outcome.stats.acceptance < 1.0


@pytest.mark.parametrize("draft", ["padded", "short"])
def test_a_vocabulary_padded_differently_drafts_too(folder: Path, draft: str) -> None:
    with opened(folder, draft) as pair:
        assert isinstance(pair.drafter, SmallModelDrafter)
        prompt = (*PROMPT, 595, 599)  # tokens that the short one lacks
        assert answer(pair, prompt, length=3).tokens == answer(pair, prompt, length=0).tokens


@pytest.mark.parametrize(
    ("draft", "says"),
    [
        ("large", "not smaller than the target"),
        ("target", "not smaller than the target"),
        ("other", "another vocabulary"),
        ("hybrid", "recurrent layers"),
    ],
)
def test_what_cannot_draft_is_refused_in_a_sentence_and_the_target_answers(folder: Path, draft: str, says: str) -> None:
    with opened(folder, draft) as pair:
        assert says in pair.info.draft_problem
        assert pair.drafter is None
        assert len(answer(pair, PROMPT, length=3).tokens) == 60


def test_sampled_text_has_the_targets_distribution(pair: Pair) -> None:
    """The first token after the anchor, many times over."""
    sampling = SamplingSettings(temperature=1.0, top_k=12, top_p=1.0)
    pair.target.truncate(0)
    logits = pair.target.decode(PROMPT, all_rows=False)[0].copy()
    first = filtered(logits, sampling)
    token = int(first.ids[int(first.probabilities.argmax())])
    pair.target.truncate(0)
    second = filtered(pair.target.decode((*PROMPT, token), all_rows=False)[0].copy(), sampling)
    trials, counts = 1500, Counter[int]()
    seed = 0
    while counts.total() < trials:
        seed += 1
        settings = SamplingSettings(temperature=1.0, top_k=12, top_p=1.0, seed=seed)
        tokens = answer(pair, (*PROMPT, token), length=2, sampling=settings, max_tokens=3).tokens
        counts[tokens[0]] += 1
    expected = trials * second.probabilities
    seen = np.array([counts[int(each)] for each in second.ids])
    assert counts.total() == seen.sum()
    statistic = float(((seen - expected) ** 2 / expected).sum())
    assert statistic < upper_quantile(len(expected) - 1, 1e-4)


def test_a_conversation_goes_on_and_is_edited(pair: Pair) -> None:
    first = answer(pair, PROMPT, length=3)
    turn = (*PROMPT, *first.tokens, 300, 301)
    second = answer(pair, turn, length=3)
    assert second.outcome.stats.prefilled_tokens <= 3
    edited = (*PROMPT, *first.tokens[:4], 310)
    assert answer(pair, edited, length=3).tokens == answer(pair, edited, length=0).tokens


def test_it_can_be_switched_off_and_on_in_mid_reply(pair: Pair) -> None:
    plain = answer(pair, PROMPT, length=0)
    control = Control(SpeculationSettings(draft_length=3))
    settings = GenerationSettings(max_tokens=60, sampling=GREEDY)
    tokens: list[int] = []
    for event in generate(pair, PROMPT, settings, control):
        tokens += getattr(event, "tokens", ())
        control.speculation = SpeculationSettings(is_enabled=len(tokens) // 15 % 2 == 0, draft_length=3)
    assert tuple(tokens) == plain.tokens


def test_a_state_put_aside_comes_back(pair: Pair) -> None:
    assert pair.drafter is not None
    first = answer(pair, PROMPT, length=3)
    target, draft = pair.target.save(), pair.drafter.save()
    answer(pair, PROMPT[::-1], length=3)
    pair.target.restore(target)
    pair.drafter.restore(draft)
    turn = (*PROMPT, *first.tokens, 300, 301)
    again = answer(pair, turn, length=3)
    assert again.outcome.stats.prefilled_tokens <= 3
    pair.target.truncate(0)
    assert again.tokens == answer(pair, turn, length=0).tokens
