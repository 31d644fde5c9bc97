"""A converted Gemma 4 computes what its checkpoint means: llama.cpp against the equations in tests/reference."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from converters import convert_target
from tests.converters.checkpoints import Made
from tests.converters.gemma4_checkpoints import make_gemma4_target
from tests.converters.gemma4_native import SHAPE, TOKENS
from tests.converters.native import TargetRun, running_target
from tests.reference.dspark import gather_features
from tests.reference.gemma4 import Gemma4Shape, gemma4_forward
from tests.reference.numerics import gelu_tanh, relative_error

pytestmark = pytest.mark.native

TOLERANCE = 1e-4


def run_target(made: Made, *, output_type: str = "F32") -> TargetRun:
    out = made.folder.with_suffix(".gguf")
    list(convert_target(made.folder, out, output_type=output_type))
    with running_target(out) as target:
        return target.run(TOKENS, range(1, SHAPE.layers))


@pytest.mark.parametrize("soft_cap", [30.0, 5.0, 0.0])
def test_target_logits_and_features_equal_the_reference(tmp_path: Path, soft_cap: float) -> None:
    made = make_gemma4_target(tmp_path / "target", final_logit_softcapping=soft_cap or None)
    logits, inputs = gemma4_forward(made.weights, replace(SHAPE, soft_cap=soft_cap), TOKENS)
    run = run_target(made)
    assert relative_error(run.logits, logits) < TOLERANCE
    assert relative_error(run.features, gather_features(inputs, range(SHAPE.layers - 1))) < TOLERANCE


def test_the_exact_activation_is_near_too(tmp_path: Path) -> None:
    made = make_gemma4_target(tmp_path / "target")
    logits, _ = gemma4_forward(made.weights, replace(SHAPE, gelu=gelu_tanh), TOKENS)
    assert relative_error(run_target(made).logits, logits) < 10 * TOLERANCE


SHAPES: dict[str, dict[str, Any]] = {
    "values of their own": {"k_eq_v": False},
    "all of a head turns": {"rotary_share": 1.0},
    "other speeds": {"theta": 3e4, "sliding_theta": 500.0},
    "wide window": {"window": 1024},
    "one full layer": {"is_full": (False, False, False, True)},
}


@pytest.mark.parametrize("change", SHAPES.values(), ids=SHAPES.keys())
def test_shapes_of_all_kinds_equal_the_reference(tmp_path: Path, change: dict[str, Any]) -> None:
    shape: Gemma4Shape = replace(SHAPE, **change)
    made = make_gemma4_target(tmp_path / "target", shape=shape)
    out = tmp_path / "target.gguf"
    list(convert_target(made.folder, out, output_type="F32"))
    logits, _ = gemma4_forward(made.weights, shape, TOKENS)
    with running_target(out) as target:
        assert relative_error(target.run(TOKENS).logits, logits) < TOLERANCE


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("wrapped", [True, False], ids=["multimodal", "text"])
def test_a_multimodal_checkpoint_holds_the_same_text_model(tmp_path: Path, wrapped: bool, tied: bool) -> None:
    made = make_gemma4_target(tmp_path / "target", wrapped=wrapped, tied=tied)
    prefix = "model.language_model." if wrapped else "model."
    logits, _ = gemma4_forward(made.weights, SHAPE, TOKENS, prefix=prefix)
    assert relative_error(run_target(made).logits, logits) < TOLERANCE


def test_sizes_of_full_layers_are_read_layer_by_layer_too(tmp_path: Path) -> None:
    """transformers 5.23 rewrites two fields into a table when it saves a config."""
    sizes = {"head_dim": SHAPE.global_head_dim, "num_key_value_heads": SHAPE.global_kv_heads}
    table = {str(layer): sizes for layer, is_full in enumerate(SHAPE.is_full) if is_full}
    rewritten: dict[str, Any] = {"global_head_dim": None, "num_global_key_value_heads": None, "per_layer_config": table}
    made = make_gemma4_target(tmp_path / "target", **rewritten)
    logits, _ = gemma4_forward(made.weights, SHAPE, TOKENS)
    assert relative_error(run_target(made).logits, logits) < TOLERANCE


@pytest.mark.parametrize(
    ("output_type", "tolerance"), [("F16", 2e-3), ("BF16", 2e-2), ("Q8_0", 5e-2), ("Q4_K_M", 0.25), ("Q4_0", 0.35)]
)
def test_a_smaller_type_stays_near_the_reference(tmp_path: Path, output_type: str, tolerance: float) -> None:
    made = make_gemma4_target(tmp_path / "target")
    logits, _ = gemma4_forward(made.weights, SHAPE, TOKENS)
    assert relative_error(run_target(made, output_type=output_type).logits, logits) < tolerance
