"""A converted Gemma 4 draft computes what its checkpoint means, the cap apart, which llama.cpp leaves to its caller."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.gemma4_checkpoints import make_gemma4_draft, make_gemma4_pair, make_gemma4_target
from tests.converters.gemma4_native import (
    ANCHOR,
    DRAFT_SHAPE,
    convert_pair,
    expected_rows,
    expected_uncapped,
    native_block,
)
from tests.converters.gguf_reading import Reread
from tests.reference.gemma4_dspark import capped_chain
from tests.reference.numerics import relative_error, soft_cap

pytestmark = pytest.mark.native

TOLERANCE = 1e-4


@pytest.mark.parametrize("cap", [30.0, 5.0, None])
def test_draft_logits_and_confidences_equal_the_uncapped_reference(tmp_path: Path, cap: float | None) -> None:
    target, draft = make_gemma4_pair(tmp_path, soft_cap=cap)
    expected = expected_uncapped(target, draft)
    paths = convert_pair(tmp_path, target, draft)
    logits, confidences = native_block(*paths)
    assert relative_error(logits, expected.logits) < TOLERANCE
    assert relative_error(confidences, expected.confidences) < TOLERANCE
    assert logits.argmax(1).tolist() == expected.tokens
    assert Reread(paths[1]).value("dflash.final_logit_softcapping") == (cap or 0)


@pytest.mark.parametrize("cap", [30.0, 5.0])
def test_the_capped_chain_follows_from_the_files_logits(tmp_path: Path, cap: float) -> None:
    """Taking the bias off, capping and putting on the bias of the real predecessor gives what the draft was trained
    to say."""
    target, draft = make_gemma4_pair(tmp_path, soft_cap=cap)
    rows = expected_rows(target, draft)
    w1, w2 = (draft.weights[f"markov_head.markov_{name}.weight"] for name in ("w1", "w2"))
    expected = capped_chain(draft.weights, rows, ANCHOR, cap=cap)
    logits, _ = native_block(*convert_pair(tmp_path, target, draft))
    before = [ANCHOR, *logits.argmax(1).tolist()]  # of each row, in the chain of the graph
    previous = ANCHOR
    for row, graph_previous, wanted in zip(logits, before, expected.logits, strict=False):
        redone = soft_cap(row - w2 @ w1[graph_previous], cap) + w2 @ w1[previous]
        assert relative_error(redone, wanted) < TOLERANCE
        previous = int(redone.argmax())
    assert capped_chain(draft.weights, rows, ANCHOR, cap=0).tokens != expected.tokens


@pytest.mark.parametrize("own_head", [False, True], ids=["shared head", "own head"])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_embeddings_and_head_are_borrowed_or_the_drafts_own(tmp_path: Path, tied: bool, own_head: bool) -> None:
    target = make_gemma4_target(tmp_path / "target", tied=tied)
    draft = make_gemma4_draft(tmp_path / "draft", target, own_head=own_head)
    paths = convert_pair(tmp_path, target, draft)
    logits, _ = native_block(*paths)
    assert relative_error(logits, expected_uncapped(target, draft).logits) < TOLERANCE
    assert ("token_embd.weight" in Reread(paths[1]).tensors) is own_head


ROPES: dict[str, dict[str, Any]] = {
    "half of a head turns": {"rotary_share": 0.5},
    "all of a head turns": {"rotary_share": 1.0},
    "another speed": {"theta": 3e4},
}


@pytest.mark.parametrize("change", ROPES.values(), ids=ROPES.keys())
def test_rope_is_the_drafts_own(tmp_path: Path, change: dict[str, Any]) -> None:
    shape = replace(DRAFT_SHAPE, **change)
    target = make_gemma4_target(tmp_path / "target")
    draft = make_gemma4_draft(tmp_path / "draft", target, shape=shape)
    logits, _ = native_block(*convert_pair(tmp_path, target, draft))
    assert relative_error(logits, expected_uncapped(target, draft, shape).logits) < TOLERANCE


def test_sizes_may_stand_in_the_targets_table(tmp_path: Path) -> None:
    """A draft's config begins as a copy of its target's, layer numbers and all."""
    sizes = {"head_dim": DRAFT_SHAPE.global_head_dim, "num_key_value_heads": DRAFT_SHAPE.global_kv_heads}
    table: dict[str, Any] = {
        "global_head_dim": None,
        "num_global_key_value_heads": None,
        "per_layer_config": {"5": sizes, "11": sizes},
    }
    target = make_gemma4_target(tmp_path / "target")
    draft = make_gemma4_draft(tmp_path / "draft", target, **table)
    logits, _ = native_block(*convert_pair(tmp_path, target, draft))
    assert relative_error(logits, expected_uncapped(target, draft).logits) < TOLERANCE


def test_the_pair_converts_from_a_multimodal_target(tmp_path: Path) -> None:
    target = make_gemma4_target(tmp_path / "target", wrapped=True)
    plain = make_gemma4_target(tmp_path / "plain")
    draft = make_gemma4_draft(tmp_path / "draft", plain)
    assert np.array_equal(target.weights["model.language_model.norm.weight"], plain.weights["model.norm.weight"])
    logits, _ = native_block(*convert_pair(tmp_path, target, draft))
    assert relative_error(logits, expected_uncapped(plain, draft).logits) < TOLERANCE


@pytest.mark.parametrize(("output_type", "tolerance"), [("F16", 2e-3), ("BF16", 2e-2), ("Q8_0", 5e-2)])
def test_a_smaller_type_stays_near_the_reference(tmp_path: Path, output_type: str, tolerance: float) -> None:
    target, draft = make_gemma4_pair(tmp_path)
    logits, _ = native_block(*convert_pair(tmp_path, target, draft, output_type))
    # The first row alone: a greedy chain that takes another turn would make any error look large.
    assert relative_error(logits[0], expected_uncapped(target, draft).logits[0]) < tolerance
