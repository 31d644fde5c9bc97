"""EAGLE-3 checkpoints, as their several makers save them, of drafts whose weights are known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.converters.checkpoints import write_safetensors
from tests.engine.tiny_drafts import Eagle3Pair, Eagle3Shape

ANGELSLIM, SPECULATORS, DEEPSPEC = "angelslim", "speculators", "deepspec"
DEEPSPEC_IDS = [1, 2, 4, 6, 7]
"""Layers whose output it reads."""
_LAYER = {
    "self_attn.q_proj": "q",
    "self_attn.k_proj": "k",
    "self_attn.v_proj": "v",
    "self_attn.o_proj": "o",
    "mlp.gate_proj": "gate",
    "mlp.up_proj": "up",
    "mlp.down_proj": "down",
    "input_layernorm": "in_norm",
    "hidden_norm": "h_norm",
    "post_attention_layernorm": "ffn_norm",
}


def write_eagle3_checkpoint(
    folder: Path,
    pair: Eagle3Pair,
    *,
    style: str = ANGELSLIM,
    has_embeddings: bool = True,
    more: dict[str, NDArray[Any]] | None = None,
    **config: Any,
) -> Path:
    """What `pair.draft` was made from, in the form of `style`."""
    shape, weights = Eagle3Shape(), pair.weights
    at = "midlayer." if style == ANGELSLIM else "layers.0."
    tensors: dict[str, NDArray[Any]] = {f"{at}{name}.weight": weights[key] for name, key in _LAYER.items()}
    tensors |= {"fc.weight": weights["fc"], "norm.weight": weights["out_norm"], "lm_head.weight": weights["head"]}
    if has_embeddings:
        tensors["embed_tokens.weight"] = pair.embeddings
    if "fc_norm" in weights:
        tensors["input_norm.weight"] = weights["fc_norm"]
    if pair.ids is not None:
        tensors["d2t"] = pair.ids - np.arange(len(pair.ids))
        tensors["t2d"] = np.isin(np.arange(shape.vocabulary), pair.ids)
    if style == DEEPSPEC:
        for name in ("q_norm", "k_norm"):
            tensors[f"{at}self_attn.{name}.weight"] = weights[name]
    layer = {
        "hidden_size": shape.hidden,
        "num_hidden_layers": 1,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "intermediate_size": shape.feed_forward,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
        "hidden_act": "silu",
    }
    own = {"draft_vocab_size": len(weights["head"]), **pair.options}
    stated: dict[str, Any] = {"architectures": ["LlamaForCausalLMEagle3"], **layer, **own}
    if style == SPECULATORS:
        verifier = {"verifier": {"name_or_path": "Somebody/Target-8L"}}
        stated = {"architectures": ["Eagle3DraftModel"], "transformer_layer_config": layer, **own}
        stated |= {"speculators_config": verifier, "eagle_aux_hidden_state_layer_ids": [2, 4, 5]}
        tensors["verifier_norm.weight"] = np.ones(shape.hidden, np.float32)
    if style == DEEPSPEC:
        stated = {"architectures": ["Qwen3Eagle3Model"], **layer, "target_layer_ids": DEEPSPEC_IDS}
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({**stated, **config}))
    write_safetensors(folder / "model.safetensors", {**tensors, **(more or {})}, "F32")
    return folder
