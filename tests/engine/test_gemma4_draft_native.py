"""A Gemma 4 draft in the engine: the soft cap that llama.cpp's graph leaves out, and the target's text kept."""

from pathlib import Path

import numpy as np
import pytest

from sparkdesk.engine import proposal
from sparkdesk.engine.block import Block
from sparkdesk.engine.drafters.dspark import DSparkDrafter
from sparkdesk.engine.pair import Pair
from sparkdesk.engine.sampling import Sampler
from sparkdesk.engine.settings import Control, GenerationSettings, LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.engine.speculate import generate
from tests.converters.checkpoints import Made
from tests.converters.gemma4_checkpoints import GEMMA4_BLOCK, GEMMA4_SHAPE, make_gemma4_pair
from tests.converters.gemma4_native import ANCHOR, TOKENS, convert_pair, expected_rows
from tests.engine.tables import Run, collect
from tests.reference.dspark import Block as ExpectedBlock
from tests.reference.gemma4_dspark import BackboneRows, capped_chain

pytestmark = pytest.mark.native


def opened(folder: Path, target: Made, draft: Made, *, context_tokens: int = 512) -> Pair:
    target_path, draft_path = convert_pair(folder, target, draft)
    pair = Pair.open(LoadSettings(str(target_path), str(draft_path), context_tokens=context_tokens, threads=1))
    assert pair.draft_problem == ""
    return pair


def block_after(pair: Pair) -> Block:
    drafter = pair.drafter
    assert isinstance(drafter, DSparkDrafter)
    pair.target.decode(TOKENS, all_rows=False)
    drafter.keep(pair.target, len(TOKENS))
    drafter.absorb()
    found = drafter.block(ANCHOR, GEMMA4_BLOCK)
    return Block(found.logits.copy(), found.confidences, found.logit_cap)


def expected_chain(target: Made, draft: Made, pair: Pair, cap: float) -> ExpectedBlock:
    rows = expected_rows(target, draft)
    base = rows.base_logits.copy()
    chain = capped_chain(draft.weights, BackboneRows(rows.hidden, base), ANCHOR, cap=cap)
    forbidden = set(pair._model.suppressed_tokens)
    assert not forbidden & set(chain.tokens), "choose another anchor: the reference knows no suppressed tokens"
    return chain


@pytest.mark.parametrize("cap", [30.0, 5.0])
def test_the_greedy_chain_is_the_capped_models_own(tmp_path: Path, cap: float) -> None:
    target, draft = make_gemma4_pair(tmp_path, soft_cap=cap)
    with opened(tmp_path, target, draft) as pair:
        block = block_after(pair)
        expected = expected_chain(target, draft, pair, cap)
        assert block.logit_cap == cap
        assert isinstance(pair.drafter, DSparkDrafter)
        assert proposal.greedy(block, ANCHOR, markov=pair.drafter.markov).tokens == tuple(expected.tokens)
        assert tuple(block.logits.argmax(axis=1).tolist()) != tuple(expected.tokens), "the cap changed nothing"


@pytest.mark.parametrize("cap", [30.0, 5.0])
def test_what_is_drawn_from_is_capped_too(tmp_path: Path, cap: float) -> None:
    target, draft = make_gemma4_pair(tmp_path, soft_cap=cap)
    settings = SamplingSettings(temperature=1.0, top_k=20, top_p=1.0, seed=2)
    with opened(tmp_path, target, draft) as pair:
        expected = expected_chain(target, draft, pair, cap).logits[0]
        expected[list(pair._model.suppressed_tokens)] = -np.inf
        assert isinstance(pair.drafter, DSparkDrafter)
        drawn = proposal.sampled(
            block_after(pair), ANCHOR, history=[], sampler=Sampler(settings), markov=pair.drafter.markov
        )
    q = drawn.distributions[0]
    best = np.argsort(-expected)[:20]
    assert set(q.ids.tolist()) == set(best.tolist())
    weights = np.exp(expected[best] - expected[best].max())
    assert q.at(best) == pytest.approx(weights / weights.sum(), abs=2e-3)


def answer(pair: Pair, prompt: list[int], speculation: SpeculationSettings, sampling: SamplingSettings) -> Run:
    settings = GenerationSettings(max_tokens=150, sampling=sampling, speculation=speculation)
    return collect(generate(pair, prompt, settings, Control(speculation)))


@pytest.mark.parametrize("length", [1, 3, GEMMA4_BLOCK, None], ids=str)
def test_the_text_is_plain_decodings_beyond_the_window(tmp_path: Path, length: int | None) -> None:
    target, draft = make_gemma4_pair(tmp_path)
    greedy, prompt = SamplingSettings(temperature=0.0), TOKENS[: GEMMA4_SHAPE.window + 8]
    with opened(tmp_path, target, draft) as pair:
        plain = answer(pair, prompt, SpeculationSettings(is_enabled=False), greedy).tokens
        found = answer(pair, prompt, SpeculationSettings(draft_length=length), greedy).tokens
        if found != plain:
            at = next(i for i, (a, b) in enumerate(zip(plain, found, strict=False)) if a != b)
            margin = pair.compare((*prompt, *plain[:at]), plain[at], found[at])
            assert abs(margin.margin) <= 4 * margin.noise, f"diverged at token {at}"
    assert len(plain) == 150
