"""The synthetic pair does what it promises: known text, known acceptance, readable confidences."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sparkdesk.bench.synthetic import weights
from sparkdesk.bench.synthetic.pair import SyntheticPair, expected_text, write_pair
from sparkdesk.bench.synthetic.weights import SyntheticShape
from sparkdesk.engine.settings import GenerationSettings, LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.gguf.header import read_gguf
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.protocol import Finished, RoundDone
from tests.conftest import TINY_SHAPE

TOKEN_COUNT = 96


def reply(pair: SyntheticPair, draft_length: int | None) -> tuple[list[int], ReplyStats]:
    settings = GenerationSettings(
        max_tokens=TOKEN_COUNT,
        sampling=SamplingSettings(temperature=0.0),
        speculation=SpeculationSettings(draft_length is not None, draft_length),
    )
    tokens: list[int] = []
    with EngineClient() as engine:
        list(engine.load(LoadSettings(str(pair.target), str(pair.draft), context_tokens=512, threads=1)))
        for event in engine.generate(pair.prompt_tokens, settings):
            if isinstance(event, RoundDone):
                tokens += event.round.tokens
            elif isinstance(event, Finished):
                return tokens, event.stats
    raise AssertionError


@pytest.mark.native
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_acceptance_is_what_was_asked_for(share: float, tmp_path: Path) -> None:
    shape = replace(TINY_SHAPE, phases=(share,))
    tokens, stats = reply(write_pair(tmp_path / "pair", shape), 4)
    assert tuple(tokens) == expected_text(shape, TOKEN_COUNT)
    assert stats.acceptance == pytest.approx(share, abs=0.03)


@pytest.mark.native
def test_quantized_pairs_say_the_same(quantized_pair: SyntheticPair) -> None:
    tokens, stats = reply(quantized_pair, 3)
    assert tuple(tokens) == expected_text(TINY_SHAPE, TOKEN_COUNT)
    assert 0.5 < stats.acceptance < 0.95


def test_phases_alternate() -> None:
    shape = SyntheticShape(vocabulary=20_000, phases=(0.9, 0.2), phase_length=100)
    chain = weights.make_chain(shape, np.random.default_rng(0))
    is_right = chain.is_drafted_right[chain.cycle]
    phase = (np.arange(len(is_right)) // 100) % 2
    assert is_right[phase == 0].mean() == pytest.approx(0.9, abs=0.02)
    assert is_right[phase == 1].mean() == pytest.approx(0.2, abs=0.02)


def test_the_chain_visits_every_ordinary_token_once() -> None:
    chain = weights.make_chain(TINY_SHAPE, np.random.default_rng(0))
    first = int(chain.cycle[0])
    round_trip = chain.following(first, len(chain.cycle))
    assert len(set(round_trip)) == len(chain.cycle) and round_trip[-1] == first
    assert min(round_trip) >= weights.FIRST_CHAIN_TOKEN


def test_the_same_seed_writes_the_same_pair(tmp_path: Path) -> None:
    first, second = write_pair(tmp_path / "a", TINY_SHAPE), write_pair(tmp_path / "b", TINY_SHAPE)
    assert first.draft.read_bytes() == second.draft.read_bytes()
    assert first.prompt_tokens == second.prompt_tokens


def test_the_draft_listens_to_layers_the_target_has() -> None:
    for layers in (3, 4, 6, 28, 36):
        tapped = SyntheticShape(layers=layers).tapped_layers
        assert 0 <= min(tapped) and max(tapped) + 1 < layers


def test_the_files_have_the_shapes_asked_for(synthetic_pair: SyntheticPair) -> None:
    target, draft = read_gguf(synthetic_pair.target), read_gguf(synthetic_pair.draft)
    assert target.metadata["qwen3.block_count"] == TINY_SHAPE.layers
    assert draft.tensors["fc.weight"].shape == (len(TINY_SHAPE.tapped_layers) * TINY_SHAPE.hidden, TINY_SHAPE.hidden)
