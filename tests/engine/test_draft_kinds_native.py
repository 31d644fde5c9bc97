"""Drafts of every kind run in the loop, and change nothing about the text."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sparkdesk.engine.drafters.dspark import DSparkDrafter
from sparkdesk.engine.pair import Pair
from sparkdesk.engine.settings import Control, GenerationSettings, LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.engine.speculate import generate
from tests.converters.checkpoints import (
    BLOCK,
    DRAFT_SHAPE,
    MASK_ID,
    TARGET_LAYER_IDS,
    TARGET_SHAPE,
    Made,
    make_dflash,
    make_speculators,
    make_target,
    make_zlab_dflash,
)
from tests.converters.test_parity import convert_pair
from tests.engine.tables import Run, collect
from tests.reference.dspark import draft_block, gather_features
from tests.reference.numerics import relative_error
from tests.reference.qwen3 import target_forward

pytestmark = pytest.mark.native

PROMPT = (7, 300, 45, 12, 250, 99, 310, 1, 64, 180)
ODD_TOKENS = tuple(range(1, 352, 2))
Make = Callable[[Path, Made], Made]
KINDS: dict[str, tuple[Make, bool]] = {
    "DeepSpec DFlash": (make_dflash, True),
    "z-lab DFlash": (make_zlab_dflash, False),
    "speculators": (partial(make_speculators, sample_from_anchor=True), True),
    "speculators, silent anchor": (make_speculators, False),
    "speculators, half the vocabulary": (partial(make_speculators, reduced=ODD_TOKENS), False),
}


def opened(tmp_path: Path, target: Made, draft: Made) -> Pair:
    paths = convert_pair(tmp_path, target, draft)
    return Pair.open(LoadSettings(str(paths[0]), str(paths[1]), context_tokens=256, threads=1))


def answer(pair: Pair, *, length: int, temperature: float = 0.0, seed: int = 1) -> Run:
    speculation = SpeculationSettings(is_enabled=length > 0, draft_length=length or None)
    sampling = SamplingSettings(temperature=temperature, seed=seed)
    settings = GenerationSettings(max_tokens=24, sampling=sampling, speculation=speculation)
    return collect(generate(pair, PROMPT, settings, Control(speculation)))


@pytest.mark.parametrize(("make", "from_anchor"), KINDS.values(), ids=KINDS)
def test_greedy_text_is_that_of_plain_decoding(tmp_path: Path, make: Make, from_anchor: bool) -> None:
    target = make_target(tmp_path / "target", tied=False)
    with opened(tmp_path, target, make(tmp_path / "draft", target)) as pair:
        assert isinstance(pair.drafter, DSparkDrafter), pair.draft_problem
        assert pair.info.block_size == (BLOCK if from_anchor else BLOCK - 1)
        plain = answer(pair, length=0).tokens
        for length in (1, pair.info.block_size):
            run = answer(pair, length=length)
            assert run.tokens == plain
            assert run.outcome.stats.verified > 0
        assert len(answer(pair, length=2, temperature=1.0).tokens) == 24


@pytest.mark.parametrize(("make", "from_anchor"), KINDS.values(), ids=KINDS)
def test_the_engine_reads_the_rows_that_predict(tmp_path: Path, make: Make, from_anchor: bool) -> None:
    """One row further on, every guess would be that for the token before."""
    target = make_target(tmp_path / "target", tied=False)
    draft = make(tmp_path / "draft", target)
    *known, anchor = PROMPT
    _, inputs = target_forward(target.weights, TARGET_SHAPE, known)
    shared = {
        "embed_tokens.weight": target.weights["model.embed_tokens.weight"],
        "lm_head.weight": target.weights["lm_head.weight"],
    }
    features = gather_features(inputs, TARGET_LAYER_IDS)
    length = BLOCK if from_anchor else BLOCK - 1
    expected = draft_block(
        {**shared, **draft.weights},
        DRAFT_SHAPE,
        features,
        anchor=anchor,
        mask=MASK_ID,
        length=BLOCK,
        from_anchor=from_anchor,
    )
    with opened(tmp_path, target, draft) as pair:
        assert isinstance(pair.drafter, DSparkDrafter)
        pair.target.truncate(0)
        pair.drafter.truncate(0)
        pair.target.decode(known, all_rows=False)
        pair.drafter.keep(pair.target, len(known))
        pair.drafter.absorb()
        block = pair.drafter.block(anchor, length)
        can = np.isfinite(expected.logits)
        # The cache holds 16-bit floats here.
        assert relative_error(block.logits[can], expected.logits[can]) < 5e-3
        if block.confidences:
            assert relative_error(np.array(block.confidences), expected.confidences) < 5e-3
        with pytest.raises(ValueError, match="the block has"):
            pair.drafter.block(anchor, length + 1)
