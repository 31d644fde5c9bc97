"""What a Gemma 4 GGUF cannot hold is refused in a sentence, before a file is begun; what is left out is said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters import ConversionError, convert_draft, convert_target
from tests.converters.checkpoints import write_safetensors
from tests.converters.gemma4_checkpoints import GEMMA4_DRAFT_SHAPE, make_gemma4_draft, make_gemma4_target
from tests.converters.gguf_reading import Reread

SIX = ["sliding_attention"] * 5


def rope(full: object = None, sliding: object = None) -> dict[str, Any]:
    return {"rope_parameters": {"full_attention": full or {}, "sliding_attention": sliding or {}}}


def table(**layers: object) -> dict[str, Any]:
    return {"per_layer_config": {name.removeprefix("layer"): sizes for name, sizes in layers.items()}}


CONFIGS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("experts", {"enable_moe_block": True}, r"experts \(MoE\)"),
    ("experts by number", {"num_experts": 128}, r"experts \(MoE\)"),
    ("bias", {"attention_bias": True}, "attention_bias"),
    ("per-layer embeddings", {"hidden_size_per_layer_input": 256}, "per-layer embeddings"),
    ("shared keys", {"num_kv_shared_layers": 2}, "layers that share keys"),
    ("both directions", {"use_bidirectional_attention": "all"}, "attention in both directions"),
    ("activation", {"hidden_activation": "gelu"}, "the activation gelu; Gemma 4 has gelu_pytorch_tanh"),
    ("layer type", {"layer_types": [*SIX, "linear_attention"]}, "a layer of type 'linear_attention'"),
    ("layer count", {"layer_types": SIX}, "a list of 6 layer types"),
    ("sliding end", {"layer_types": [*SIX, SIX[0]]}, "ends with a sliding layer"),
    ("only full layers", {"layer_types": ["full_attention"] * 6}, "no sliding layer"),
    ("layers without end", {"num_hidden_layers": 2**31 - 1, "layer_types": None}, "at most 512"),
    ("rope type", rope({"rope_type": "yarn", "rope_theta": 1e6}), "rope of type 'yarn' in full layers"),
    ("rope share", rope({"rope_type": "default", "rope_theta": 1e6, "partial_rotary_factor": 0.5}), "rope of type"),
    ("stretched rope", rope({"rope_type": "proportional", "rope_theta": 1e6, "factor": 8.0}), "rope of type"),
    ("no speed", rope({"rope_type": "proportional"}), "'rope_theta'"),
    ("share of nothing", rope({"rope_type": "proportional", "rope_theta": 1e6, "partial_rotary_factor": 0}), "a share"),
    ("share beyond", rope({"rope_type": "proportional", "rope_theta": 1e6, "partial_rotary_factor": 1.5}), "a share"),
    ("sliding rope", rope(None, {"rope_type": "linear", "rope_theta": 1e4}), "of its own in sliding layers"),
    ("cap below zero", {"final_logit_softcapping": -30.0}, "'final_logit_softcapping' should be"),
    ("full layers apart", table(layer2={"head_dim": 128}, layer5={"head_dim": 64}), "full layers different sizes"),
    ("a sliding layer apart", table(layer0={"head_dim": 128}), "sliding layer 0 sizes of its own"),
    ("unknown size", table(layer2={"intermediate_size": 64}), "intermediate_size for a single layer"),
    ("table of nothing", {"per_layer_config": [128]}, "'per_layer_config' should be an object"),
    ("odd heads", {"num_global_key_value_heads": 3}, "do not divide"),
    ("window", {"sliding_window": None}, "'sliding_window'"),
    ("values expected", {"attention_k_eq_v": False, "num_global_key_value_heads": 2}, "has shape|no tensor"),
)


@pytest.mark.parametrize(("config", "message"), [each[1:] for each in CONFIGS], ids=[each[0] for each in CONFIGS])
def test_a_target_that_cannot_be_held_is_refused(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    made = make_gemma4_target(tmp_path / "target", **config)
    with pytest.raises(ConversionError, match=message) as caught:
        list(convert_target(made.folder, tmp_path / "out.gguf", output_type="F16"))
    assert caught.value.hint and str(caught.value).endswith(".")
    assert not (tmp_path / "out.gguf").exists()


@pytest.mark.parametrize("name", ["model.embed_tokens_per_layer.weight", "model.layers.2.self_attn.v_proj.weight"])
def test_a_tensor_that_has_no_place_is_refused(tmp_path: Path, name: str) -> None:
    """Per-layer embeddings without a word in config.json, and values where keys should serve."""
    made = make_gemma4_target(tmp_path / "target", hidden_size_per_layer_input=None)
    write_safetensors(made.folder / "model.safetensors", {**made.weights, name: np.ones((8, 8))}, "F32")
    with pytest.raises(ConversionError, match=f"{name}' has no place"):
        list(convert_target(made.folder, tmp_path / "out.gguf", output_type="F16"))


DRAFTS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("values of its own", {"attention_k_eq_v": False, "num_global_key_value_heads": 2}, "attention_k_eq_v off"),
    ("sliding layers", {"layer_types": ["sliding_attention", "full_attention"]}, "sliding layers"),
    ("a layer beyond", {"target_layer_ids": [1, 5]}, "hand over layers 0 to 4"),
    ("another Markov head", {"markov_head_type": "gated"}, "Markov head of type 'gated'"),
    ("experts", {"enable_moe_block": True}, r"experts \(MoE\)"),
    ("activation", {"hidden_activation": "silu"}, "the activation silu"),
)


@pytest.mark.parametrize(("config", "message"), [each[1:] for each in DRAFTS], ids=[each[0] for each in DRAFTS])
def test_a_draft_that_cannot_be_run_is_refused(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    target = make_gemma4_target(tmp_path / "target")
    draft = make_gemma4_draft(tmp_path / "draft", target, **config)
    with pytest.raises(ConversionError, match=message):
        list(convert_draft(draft.folder, tmp_path / "out.gguf", target=target.folder, output_type="F16"))


def test_parts_for_images_and_audio_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    made = make_gemma4_target(tmp_path / "target", wrapped=True)
    events = list(convert_target(made.folder, tmp_path / "out.gguf", output_type="F16"))
    assert "images and audio are left out" in events[0].notice
    assert {event.notice for event in events[1:]} == {""}
    assert not [name for name in Reread(tmp_path / "out.gguf").tensors if "vision" in name or "audio" in name]


def test_of_a_text_model_nothing_is_said(tmp_path: Path) -> None:
    made = make_gemma4_target(tmp_path / "target")
    assert {event.notice for event in convert_target(made.folder, tmp_path / "out.gguf", output_type="F16")} == {""}


def test_a_draft_holds_no_values_and_what_llama_cpp_computes_with(tmp_path: Path) -> None:
    target = make_gemma4_target(tmp_path / "target")
    draft = make_gemma4_draft(tmp_path / "draft", target)
    list(convert_draft(draft.folder, tmp_path / "out.gguf", target=target.folder, output_type="Q8_0"))
    file = Reread(tmp_path / "out.gguf")
    assert not [name for name in file.tensors if "attn_v" in name]
    assert file.value("dflash.embedding_scale") == GEMMA4_DRAFT_SHAPE.hidden**0.5
    assert file.value("dflash.attention.scale") == 1.0
    assert file.value("dflash.hidden_activation") == "gelu_pytorch_tanh"
    assert file.value("dflash.rope.dimension_count") == GEMMA4_DRAFT_SHAPE.global_head_dim
    assert file.value("dflash.final_logit_softcapping") == 30.0
    frequencies = file.floats("rope_freqs.weight")
    assert frequencies.tolist() == [1.0] * 16 + [np.float32(1e30)] * 48
