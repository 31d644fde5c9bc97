"""A converted model computes what its checkpoint means: llama.cpp against the equations in tests/reference."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from converters import convert_draft, convert_target
from tests.converters.checkpoints import (
    BLOCK,
    DRAFT_SHAPE,
    MASK_ID,
    TARGET_LAYER_IDS,
    TARGET_SHAPE,
    Made,
    make_draft,
    make_target,
)
from tests.converters.native import running_pair, running_target
from tests.reference.dspark import Block, draft_block, gather_features
from tests.reference.numerics import relative_error
from tests.reference.qwen3 import target_forward
from tests.reference.rope import PLAIN, Rope

pytestmark = pytest.mark.native

TOKENS = [7, 300, 45, 12, 250, 99, 310, 1, 64, 180]
ANCHOR = 42
TOLERANCE = 1e-3


def convert_pair(folder: Path, target: Made, draft: Made, output_type: str = "F32") -> tuple[Path, Path]:
    target_path, draft_path = folder / "target.gguf", folder / "draft.gguf"
    list(convert_target(target.folder, target_path, output_type=output_type))
    list(convert_draft(draft.folder, draft_path, target=target_path, output_type=output_type))
    return target_path, draft_path


def expected_block(target: Made, draft: Made, *, rope: Rope = PLAIN, layers: Sequence[int] = TARGET_LAYER_IDS) -> Block:
    _, inputs = target_forward(target.weights, replace(TARGET_SHAPE, rope=rope), TOKENS)
    features = gather_features(inputs, layers)
    shape = replace(DRAFT_SHAPE, rope=rope)
    return draft_block(draft.weights, shape, features, anchor=ANCHOR, mask=MASK_ID, length=BLOCK)


def native_block(target_path: Path, draft_path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    with running_pair(target_path, draft_path) as (target, draft):
        draft.absorb(target.run(TOKENS, draft.layers).features)
        return draft.propose(ANCHOR, len(TOKENS), BLOCK)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_target_logits_and_features_equal_the_reference(tmp_path: Path, tied: bool) -> None:
    made = make_target(tmp_path / "target", tied=tied)
    out = tmp_path / "target.gguf"
    list(convert_target(made.folder, out, output_type="F32"))
    logits, inputs = target_forward(made.weights, TARGET_SHAPE, TOKENS)
    with running_target(out) as target:
        run = target.run(TOKENS, [1, 2])
    assert relative_error(run.logits, logits) < TOLERANCE
    assert relative_error(run.features, gather_features(inputs, [0, 1])) < TOLERANCE


@pytest.mark.parametrize("own_head", [False, True], ids=["shared head", "own head"])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_draft_logits_and_confidences_equal_the_reference(tmp_path: Path, tied: bool, own_head: bool) -> None:
    """An untied target once got a draft whose embeddings served as its head."""
    target = make_target(tmp_path / "target", tied=tied)
    draft = make_draft(tmp_path / "draft", target, own_head=own_head)
    expected = expected_block(target, draft)
    logits, confidences = native_block(*convert_pair(tmp_path, target, draft))
    assert relative_error(logits, expected.logits) < TOLERANCE
    assert relative_error(confidences, expected.confidences) < TOLERANCE
    assert logits.argmax(1).tolist() == expected.tokens


ROPES: tuple[dict[str, Any], ...] = (
    {"rope_theta": 1e6},
    {"rope_theta": None, "rope_parameters": {"rope_theta": 1e6, "rope_type": "default"}},
    {"rope_theta": None, "rope_scaling": {"rope_theta": 1e6, "type": "default"}},
    {"rope_theta": 1e6, "rope_scaling": None},
)


@pytest.mark.parametrize("rope", ROPES)
def test_rope_theta_is_found_wherever_the_config_has_it(tmp_path: Path, rope: dict[str, Any]) -> None:
    target = make_target(tmp_path / "target", tied=True, **rope)
    draft = make_draft(tmp_path / "draft", target, **rope)
    expected = expected_block(target, draft, rope=Rope(theta=1e6))
    logits, _ = native_block(*convert_pair(tmp_path, target, draft))
    assert relative_error(logits, expected.logits) < TOLERANCE


@pytest.mark.parametrize("kind", ["linear", "yarn"])
def test_a_stretched_context_turns_as_transformers_does(tmp_path: Path, kind: str) -> None:
    scaling = {"rope_type": kind, "factor": 4.0, "original_max_position_embeddings": 128}
    target = make_target(tmp_path / "target", tied=True, rope_scaling=scaling, max_position_embeddings=512)
    draft = make_draft(tmp_path / "draft", target, rope_scaling=scaling, max_position_embeddings=512)
    expected = expected_block(target, draft, rope=Rope(kind=kind, factor=4.0, original_context=128))
    logits, _ = native_block(*convert_pair(tmp_path, target, draft))
    assert relative_error(logits, expected.logits) < TOLERANCE


@pytest.mark.parametrize(
    ("output_type", "tolerance"),
    [("F16", 2e-3), ("BF16", 2e-2), ("Q8_0", 5e-2), ("Q6_K", 0.1), ("Q4_K_M", 0.25), ("IQ4_XS", 0.35)],
)
def test_a_smaller_type_stays_near_the_reference(tmp_path: Path, output_type: str, tolerance: float) -> None:
    target = make_target(tmp_path / "target", tied=False)
    draft = make_draft(tmp_path / "draft", target)
    expected = expected_block(target, draft)
    logits, _ = native_block(*convert_pair(tmp_path, target, draft, output_type))
    # The first row alone: a greedy chain that takes another turn would make any error look large.
    assert relative_error(logits[0], expected.logits[0]) < tolerance


def test_a_draft_may_read_the_targets_embeddings(tmp_path: Path) -> None:
    target = make_target(tmp_path / "target", tied=True)
    draft = make_draft(tmp_path / "draft", target, target_layer_ids=[-1, 1])
    expected = expected_block(target, draft, layers=[-1, 1])
    logits, _ = native_block(*convert_pair(tmp_path, target, draft))
    assert relative_error(logits, expected.logits) < TOLERANCE


def test_a_draft_without_confidence_head_still_drafts(tmp_path: Path) -> None:
    target = make_target(tmp_path / "target", tied=True)
    draft = make_draft(tmp_path / "draft", target, confidence=False)
    expected = expected_block(target, make_draft(tmp_path / "same", target))
    logits, _ = native_block(*convert_pair(tmp_path, target, draft))
    assert relative_error(logits, expected.logits) < TOLERANCE
