"""What a Gemma 4 file can lack and still load: each omission must show in the numbers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from converters import convert_target, gemma4, gemma4_dspark, names
from converters.names import flag, i32_list, u32
from converters.plan import FilePlan
from converters.safetensors import StoredTensor
from tests.converters.gemma4_checkpoints import GEMMA4_TARGET_LAYER_IDS, make_gemma4_draft, make_gemma4_target
from tests.converters.gemma4_native import (
    DRAFT_SHAPE,
    SHAPE,
    TOKENS,
    convert_pair,
    expected_uncapped,
    native_block,
)
from tests.converters.native import running_target
from tests.reference.gemma4 import gemma4_forward
from tests.reference.numerics import relative_error

pytestmark = pytest.mark.native

Change = Callable[[FilePlan], FilePlan]
LEAST_ERROR = 0.005  # fifty times what parity allows


def without_key(template: str) -> Change:
    """Of the file's own architecture."""

    def change(plan: FilePlan) -> FilePlan:
        key = names.key(template, plan.architecture)
        kept = tuple(entry for entry in plan.entries if entry.key != key)
        assert len(kept) < len(plan.entries)
        return replace(plan, entries=kept)

    return change


def without_tensors(part: str) -> Change:
    def change(plan: FilePlan) -> FilePlan:
        kept = tuple(tensor for tensor in plan.tensors if part not in tensor.name)
        assert len(kept) < len(plan.tensors)
        return replace(plan, tensors=kept)

    return change


def all_of_a_head_turning(plan: FilePlan) -> FilePlan:
    ones = StoredTensor(names.ROPE_FREQS, "F32", np.ones(SHAPE.global_head_dim // 2, "<f4"))
    return replace(
        plan,
        tensors=tuple(
            replace(tensor, source=ones) if tensor.name == names.ROPE_FREQS else tensor for tensor in plan.tensors
        ),
    )


def wide_window(plan: FilePlan) -> FilePlan:
    window = u32(names.key(names.SLIDING_WINDOW, names.GEMMA4), 1024)
    plan = without_key(names.SLIDING_WINDOW)(plan)
    return replace(plan, entries=(*plan.entries, window))


TARGET_CHANGES = {
    "no soft cap key": without_key(names.FINAL_LOGIT_SOFTCAPPING),
    "no speed of sliding layers": without_key(names.ROPE_FREQ_BASE_SWA),
    "no speed of full layers": without_key(names.ROPE_FREQ_BASE),
    "all of a head turning": all_of_a_head_turning,
    "no layer scalar": without_tensors(names.LAYER_OUTPUT_SCALE),
    "wide window": wide_window,
}


@pytest.mark.parametrize("change", TARGET_CHANGES.values(), ids=TARGET_CHANGES.keys())
def test_an_omission_in_a_target_breaks_parity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    shape = replace(SHAPE, soft_cap=5.0, sliding_theta=500.0)
    made = make_gemma4_target(tmp_path / "target", shape=shape)
    plan_target = gemma4.plan_target
    monkeypatch.setattr(gemma4, "plan_target", lambda *given, **named: change(plan_target(*given, **named)))
    list(convert_target(made.folder, tmp_path / "target.gguf", output_type="F32"))
    logits, _ = gemma4_forward(made.weights, shape, TOKENS)
    with running_target(tmp_path / "target.gguf") as target:
        assert relative_error(target.run(TOKENS).logits, logits) > LEAST_ERROR


def test_a_target_without_a_cap_says_so(tmp_path: Path) -> None:
    """Of a file that does not say, llama.cpp believes 30."""
    made = make_gemma4_target(tmp_path / "target", final_logit_softcapping=None)
    list(convert_target(made.folder, tmp_path / "target.gguf", output_type="F32"))
    logits, _ = gemma4_forward(made.weights, replace(SHAPE, soft_cap=30.0), TOKENS)
    with running_target(tmp_path / "target.gguf") as target:
        assert relative_error(target.run(TOKENS).logits, logits) > LEAST_ERROR


def layer_ids_without_plus_one(plan: FilePlan) -> FilePlan:
    others = tuple(entry for entry in plan.entries if entry.key != names.TARGET_LAYERS)
    return replace(plan, entries=(*others, i32_list(names.TARGET_LAYERS, GEMMA4_TARGET_LAYER_IDS)))


def no_markov_head(plan: FilePlan) -> FilePlan:
    others = tuple(entry for entry in plan.entries if entry.key != names.HAS_CONFIDENCE_HEAD)
    plan = replace(plan, entries=(*others, flag(names.HAS_CONFIDENCE_HEAD, False)))
    return without_tensors("conf_proj")(without_tensors("markov")(plan))


DRAFT_CHANGES = {
    "no embedding scale": without_key(names.EMBEDDING_SCALE),
    "no attention scale": without_key(names.ATTENTION_SCALE),
    "no activation": without_key(names.HIDDEN_ACTIVATION),
    "no speed": without_key(names.ROPE_FREQ_BASE),
    "no rope frequencies": without_tensors(names.ROPE_FREQS),
    "no layer scalar": without_tensors(names.LAYER_OUTPUT_SCALE),
    "no norm after attention": without_tensors(names.POST_ATTENTION_NORM),
    "no norm after feed-forward": without_tensors(names.POST_FFN_NORM),
    "no Markov head": no_markov_head,
    "layer ids without plus one": layer_ids_without_plus_one,
}


@pytest.mark.parametrize("change", DRAFT_CHANGES.values(), ids=DRAFT_CHANGES.keys())
def test_an_omission_in_a_draft_breaks_parity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    target = make_gemma4_target(tmp_path / "target")
    draft = make_gemma4_draft(tmp_path / "draft", target)
    plan_draft = gemma4_dspark.plan_draft
    monkeypatch.setattr(gemma4_dspark, "plan_draft", lambda *given, **named: change(plan_draft(*given, **named)))
    logits, _ = native_block(*convert_pair(tmp_path, target, draft))
    expected = expected_uncapped(target, draft, DRAFT_SHAPE)
    # The first row alone: a greedy chain that takes another turn would make any error look large.
    assert relative_error(logits[0], expected.logits[0]) > LEAST_ERROR
