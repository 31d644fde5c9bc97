"""What holds for every drafter: the target's text at every length, its distribution, and caches that stay usable."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from converters.convert import convert_draft
from sparkdesk.engine.drafters.assistant import AssistantDrafter
from sparkdesk.engine.drafters.eagle3 import Eagle3Drafter
from sparkdesk.engine.drafters.mtp import MtpDrafter
from sparkdesk.engine.drafters.small_model import SmallModelDrafter
from sparkdesk.engine.pair import Pair
from sparkdesk.engine.sampling import filtered
from sparkdesk.engine.settings import (
    MTP,
    Control,
    GenerationSettings,
    LoadSettings,
    SamplingSettings,
    SpeculationSettings,
)
from sparkdesk.engine.speculate import generate
from tests.converters.eagle3_checkpoints import DEEPSPEC, write_eagle3_checkpoint
from tests.engine.chi_square import upper_quantile
from tests.engine.drafters.replies import GREEDY, answer
from tests.engine.tiny_drafts import write_assistant_pair, write_eagle3_pair
from tests.engine.tiny_gguf import FIRST_PLAIN, write_hybrid, write_plain

pytestmark = pytest.mark.native

PROMPT = tuple(int(token) for token in np.random.default_rng(2).integers(FIRST_PLAIN, 600, 16))
KINDS = {
    "small": SmallModelDrafter,
    "mtp": MtpDrafter,
    "eagle3": Eagle3Drafter,
    "eagle3 d2t": Eagle3Drafter,
    "eagle3 borrowed head": Eagle3Drafter,
    "eagle3 deepspec": Eagle3Drafter,
    "assistant": AssistantDrafter,
}


def settings_of(kind: str, folder: Path) -> LoadSettings:
    drafter, draft = "", None
    if kind == "mtp":
        target, drafter = write_hybrid(folder / "hybrid.gguf"), MTP
    elif kind == "assistant":
        target, draft = write_assistant_pair(folder)
    elif kind == "small":
        target = write_plain(folder / "target.gguf", layers=6, damped=0.3)
        draft = write_plain(folder / "draft.gguf", layers=2, damped=0.3)
    elif kind == "eagle3 deepspec":
        pair = write_eagle3_pair(folder, feature_layers=5)
        source = write_eagle3_checkpoint(folder / "source", pair, style=DEEPSPEC)
        target, draft = pair.target, folder / "draft.gguf"
        for _ in convert_draft(source, draft, target=target, output_type="F32"):
            pass
    else:
        has_head = "borrowed" not in kind
        pair = write_eagle3_pair(folder, draft_vocabulary=200 if "d2t" in kind else 0, has_head=has_head)
        target, draft = pair.target, pair.draft
    return LoadSettings(str(target), str(draft) if draft else None, drafter, context_tokens=512, threads=1)


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("kind")
    with Pair.open(settings_of(request.param, folder)) as pair:
        assert not pair.info.draft_problem
        assert type(pair.drafter) is KINDS[request.param]
        yield pair


def block_size(pair: Pair) -> int:
    assert pair.drafter is not None
    return pair.drafter.block_size


def test_greedy_text_is_that_of_plain_decoding(pair: Pair) -> None:
    plain = answer(pair, PROMPT, length=0, max_tokens=100)
    for length in (*range(1, block_size(pair) + 1), None):
        drafted = answer(pair, PROMPT, length=length, max_tokens=100)
        assert drafted.tokens == plain.tokens, length
        assert length is None or any(r.drafted == length for r in drafted.rounds)


def test_sampled_text_has_the_targets_distribution(pair: Pair) -> None:
    """The token after the anchor, many times over, the draft of it really drawn."""
    sampling = SamplingSettings(temperature=1.0, top_k=8, top_p=1.0)
    pair.target.truncate(0)
    first = filtered(pair.target.decode(PROMPT, all_rows=False)[0].copy(), sampling)
    token = int(first.ids[int(first.probabilities.argmax())])
    pair.target.truncate(0)
    second = filtered(pair.target.decode((*PROMPT, token), all_rows=False)[0].copy(), sampling)
    pair.target.truncate(0)
    counts, seed = Counter[int](), 0
    while counts.total() < 600:
        seed += 1
        drawn = SamplingSettings(temperature=1.0, top_k=8, top_p=1.0, seed=seed)
        done = answer(pair, PROMPT, length=2, sampling=drawn, max_tokens=3)
        if done.tokens[0] == token:
            counts[done.tokens[1]] += 1
    expected = counts.total() * second.probabilities
    seen = np.array([counts[int(each)] for each in second.ids])
    assert counts.total() == seen.sum()
    statistic = float(((seen - expected) ** 2 / expected).sum())
    assert statistic < upper_quantile(len(expected) - 1, 1e-4)


def test_a_conversation_goes_on_and_is_edited(pair: Pair) -> None:
    first = answer(pair, PROMPT, length=2)
    turn = (*PROMPT, *first.tokens, 300, 301)
    second = answer(pair, turn, length=2)
    assert second.outcome.stats.prefilled_tokens <= 4
    plain = answer(pair, turn, length=0)
    assert second.tokens == plain.tokens
    for edited in ((*PROMPT, *first.tokens[:4], 310), (*PROMPT, *first.tokens[:20]), PROMPT, PROMPT[:7]):
        drafted = answer(pair, edited, length=2)
        assert drafted.tokens == answer(pair, edited, length=0).tokens


def test_it_can_be_switched_off_and_on_in_mid_reply(pair: Pair) -> None:
    plain = answer(pair, PROMPT, length=0)
    control = Control(SpeculationSettings(draft_length=2))
    settings = GenerationSettings(max_tokens=60, sampling=GREEDY)
    tokens: list[int] = []
    for event in generate(pair, PROMPT, settings, control):
        tokens += getattr(event, "tokens", ())
        control.speculation = SpeculationSettings(is_enabled=len(tokens) // 15 % 2 == 0, draft_length=2)
    assert tuple(tokens) == plain.tokens


@pytest.mark.parametrize("stop_after", [1, 2, 3, 5])
def test_a_reply_closed_early_leaves_the_caches_usable(pair: Pair, stop_after: int) -> None:
    plain = answer(pair, PROMPT, length=0)
    events = generate(pair, PROMPT, GenerationSettings(sampling=GREEDY), Control(SpeculationSettings(draft_length=3)))
    for _ in range(stop_after):
        next(events)
    events.close()  # type: ignore[attr-defined]
    assert answer(pair, PROMPT, length=3).tokens == plain.tokens


def test_a_state_put_aside_comes_back(pair: Pair) -> None:
    assert pair.drafter is not None
    first = answer(pair, PROMPT, length=2)
    target, draft = pair.target.save(), pair.drafter.save()
    answer(pair, PROMPT[::-1], length=2)
    pair.target.restore(target)
    pair.drafter.restore(draft)
    turn = (*PROMPT, *first.tokens, 300, 301)
    again = answer(pair, turn, length=2)
    assert again.outcome.stats.prefilled_tokens <= 4
    pair.target.truncate(0)
    assert again.tokens == answer(pair, turn, length=0).tokens


def test_a_prompt_longer_than_a_pass_is_followed(pair: Pair) -> None:
    prompt = tuple(int(token) for token in np.random.default_rng(3).integers(FIRST_PLAIN, 600, 300))
    assert answer(pair, prompt, length=2).tokens == answer(pair, prompt, length=0).tokens
