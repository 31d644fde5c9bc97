"""Qwen3 targets of every released size, and what their configs vary."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters import convert_target
from converters.checkpoint import Checkpoint
from converters.config import Config
from converters.qwen3 import plan_target
from converters.safetensors import StoredTensor
from tests.converters import checkpoints
from tests.converters.checkpoints import make_target
from tests.converters.gguf_reading import Reread
from tests.converters.native import running_target
from tests.converters.test_parity import TOKENS, TOLERANCE
from tests.converters.tokenizer import write_tokenizer
from tests.reference.numerics import relative_error
from tests.reference.qwen3 import target_forward
from tests.reference.rope import Rope

VOCABULARY, HEAD_DIM = 151_936, 128
# hidden, feed-forward, layers, heads, is tied, parameters as published in the files' own headers
SIZES = {
    "0.6B": (1024, 3072, 28, 16, True, 596_049_920),
    "1.7B": (2048, 6144, 28, 16, True, 1_720_574_976),
    "4B": (2560, 9728, 36, 32, True, 4_022_468_096),
    "8B": (4096, 12288, 36, 32, False, 8_190_735_360),
    "14B": (5120, 17408, 40, 40, False, 14_768_307_200),
    "32B": (5120, 25600, 64, 64, False, 32_762_123_264),
}


def checkpoint_of(folder: Path, size: str, **config: Any) -> Checkpoint:
    """All its tensors by name and shape, without memory: every value is the same zero."""
    hidden, inner, layers, heads, is_tied, _ = SIZES[size]
    stated = {
        "architectures": ["Qwen3ForCausalLM"],
        "attention_bias": False,
        "head_dim": HEAD_DIM,
        "hidden_act": "silu",
        "hidden_size": hidden,
        "intermediate_size": inner,
        "max_position_embeddings": 40960,
        "max_window_layers": layers,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "num_key_value_heads": 8,
        "rms_norm_eps": 1e-06,
        "rope_scaling": None,
        "rope_theta": 1000000,
        "sliding_window": None,
        "tie_word_embeddings": is_tied,
        "use_sliding_window": False,
        "vocab_size": VOCABULARY,
    }
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (VOCABULARY, hidden),
        "lm_head.weight": (VOCABULARY, hidden),  # stored even where it is tied
        "model.norm.weight": (hidden,),
    }
    for layer in range(layers):
        shapes |= {
            f"model.layers.{layer}.{name}.weight": shape
            for name, shape in {
                "self_attn.q_proj": (heads * HEAD_DIM, hidden),
                "self_attn.k_proj": (8 * HEAD_DIM, hidden),
                "self_attn.v_proj": (8 * HEAD_DIM, hidden),
                "self_attn.o_proj": (hidden, heads * HEAD_DIM),
                "self_attn.q_norm": (HEAD_DIM,),
                "self_attn.k_norm": (HEAD_DIM,),
                "mlp.gate_proj": (inner, hidden),
                "mlp.up_proj": (inner, hidden),
                "mlp.down_proj": (hidden, inner),
                "input_layernorm": (hidden,),
                "post_attention_layernorm": (hidden,),
            }.items()
        }
    write_tokenizer(folder)
    zero = np.uint16(0)
    tensors = {name: StoredTensor(name, "BF16", np.broadcast_to(zero, shape)) for name, shape in shapes.items()}
    return Checkpoint(folder, Config({**stated, **config}, "config.json"), tensors)


@pytest.mark.parametrize("size", SIZES)
def test_every_size_has_all_its_parameters(tmp_path: Path, size: str) -> None:
    hidden, inner, layers, heads, is_tied, parameters = SIZES[size]
    plan = plan_target(checkpoint_of(tmp_path, size), encoding="BF16")
    assert plan.weight_count == parameters
    assert ("output.weight" in {tensor.name for tensor in plan.tensors}) is not is_tied
    entries = {entry.key: entry.value for entry in plan.entries}
    assert entries["qwen3.block_count"] == layers and entries["qwen3.attention.head_count"] == heads
    assert entries["qwen3.embedding_length"] == hidden and entries["qwen3.feed_forward_length"] == inner
    assert entries["qwen3.attention.key_length"] == entries["qwen3.attention.value_length"] == HEAD_DIM
    assert entries["qwen3.rope.freq_base"] == 1e6 and entries["qwen3.context_length"] == 40960


YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_scaling": YARN},
        {"rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}},
        {"rope_theta": None, "rope_parameters": {**YARN, "rope_theta": 1e6, "attention_factor": None}},
        {"rope_parameters": YARN},
    ],
    ids=["rope_scaling", "by its old name", "rope_parameters", "theta beside rope_parameters"],
)
def test_yarn_is_found_wherever_the_config_has_it(tmp_path: Path, rope: dict[str, Any]) -> None:
    plan = plan_target(checkpoint_of(tmp_path, "8B", **rope), encoding="BF16")
    entries = {entry.key: entry.value for entry in plan.entries}
    assert entries["qwen3.rope.freq_base"] == 1e6
    assert entries["qwen3.rope.scaling.type"] == "yarn" and entries["qwen3.rope.scaling.factor"] == 4.0
    assert entries["qwen3.rope.scaling.original_context_length"] == 32768


@pytest.mark.native
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("scaling", [None, {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e6}])
def test_heads_may_be_wider_than_the_hidden_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tied: bool, scaling: dict[str, Any] | None
) -> None:
    """As in the 0.6B, where 16 heads of 128 stand on 1,024, and the 32B."""
    shape = replace(checkpoints.TARGET_SHAPE, heads=8, kv_heads=2, head_dim=64)
    monkeypatch.setattr(checkpoints, "TARGET_SHAPE", shape)
    scaled: dict[str, Any] = {}
    if scaling:
        scaled["rope_parameters"] = scaling | {"original_max_position_embeddings": 64}
    made = make_target(tmp_path / "target", tied=tied, rope_theta=1e6, **scaled)
    list(convert_target(made.folder, tmp_path / "out.gguf", output_type="F32"))
    rope = Rope(theta=1e6, kind="yarn", factor=4.0, original_context=64) if scaling else Rope(theta=1e6)
    logits, _ = target_forward(made.weights, replace(shape, rope=rope), TOKENS)
    with running_target(tmp_path / "out.gguf") as target:
        assert relative_error(target.run(TOKENS).logits, logits) < TOLERANCE
    assert ("output.weight" in Reread(tmp_path / "out.gguf").tensors) is not tied
