"""Random Gemma 4 checkpoints, as tests need them: six layers, two head widths, a window of 16 tokens.

target, draft = make_gemma4_pair(folder, soft_cap=5.0)
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.converters.checkpoints import Made, Weights, write_safetensors
from tests.converters.gemma4_tokenizer import MASK, write_gemma4_tokenizer
from tests.reference.gemma4 import Gemma4Shape

_SLIDING, _FULL = "sliding_attention", "full_attention"

GEMMA4_SHAPE = Gemma4Shape(
    hidden=256,
    is_full=(False, False, True, False, False, True),
    heads=4,
    kv_heads=2,
    head_dim=64,
    global_kv_heads=1,
    global_head_dim=128,
    inner=512,
    vocab=512,
    window=16,
    soft_cap=30.0,
)
GEMMA4_DRAFT_SHAPE = replace(GEMMA4_SHAPE, is_full=(True, True))
GEMMA4_TARGET_LAYER_IDS = [1, 2, 4]
GEMMA4_MARKOV_RANK = 64
GEMMA4_BLOCK = 5
GEMMA4_MASK = MASK


def make_gemma4_pair(folder: Path, *, soft_cap: float | None = 30.0) -> tuple[Made, Made]:
    """Checkpoint folders `target` and `draft` in `folder`, with the same cap."""
    target = make_gemma4_target(folder / "target", final_logit_softcapping=soft_cap)
    return target, make_gemma4_draft(folder / "draft", target, final_logit_softcapping=soft_cap)


def make_gemma4_target(
    folder: Path,
    *,
    wrapped: bool = False,
    tied: bool = True,
    shape: Gemma4Shape = GEMMA4_SHAPE,
    dtype: str = "F32",
    **config: Any,
) -> Made:
    """`wrapped` as in the multimodal checkpoints: a text_config, longer names, and towers for images and audio."""
    rng = np.random.default_rng(1)
    prefix = "model.language_model." if wrapped else "model."
    weights = {
        f"{prefix}embed_tokens.weight": _random(rng, shape.vocab, shape.hidden, std=1 / 16),
        # Large enough that a soft cap of 30 shows in the logits
        f"{prefix}norm.weight": _norm(rng, shape.hidden, mean=8),
        **_layers(rng, shape, prefix=prefix),
    }
    if not tied:
        weights["lm_head.weight"] = _random(rng, shape.vocab, shape.hidden, std=1 / 16)
    if wrapped:
        weights |= {name: _random(rng, 8, 8, std=1.0) for name in _TOWER_TENSORS}
    folder.mkdir(parents=True)
    write_gemma4_tokenizer(folder)
    text = {"tie_word_embeddings": tied, **_config(shape), **config}
    stated = _wrapper(text) if wrapped else {"architectures": ["Gemma4ForCausalLM"], **text}
    (folder / "config.json").write_text(json.dumps(stated))
    return Made(folder, write_safetensors(folder / "model.safetensors", weights, dtype))


def make_gemma4_draft(
    folder: Path,
    target: Made,
    *,
    own_head: bool = False,
    shape: Gemma4Shape = GEMMA4_DRAFT_SHAPE,
    dtype: str = "F32",
    **config: Any,
) -> Made:
    """A draft for `target`: its embeddings and head are copies, unless it has its own, trained on from there."""
    rng = np.random.default_rng(2)
    rank = GEMMA4_MARKOV_RANK
    embeddings = next(target.weights[name] for name in target.weights if name.endswith("embed_tokens.weight"))
    head = target.weights.get("lm_head.weight", embeddings)
    if own_head:
        embeddings = embeddings + rng.standard_normal(embeddings.shape) / 32
        head = head + rng.standard_normal(head.shape) / 32
    weights = {
        "embed_tokens.weight": embeddings.astype(np.float32),
        "lm_head.weight": head.astype(np.float32),
        "norm.weight": _norm(rng, shape.hidden, mean=8),
        "hidden_norm.weight": _norm(rng, shape.hidden),
        "fc.weight": _random(rng, shape.hidden, len(GEMMA4_TARGET_LAYER_IDS) * shape.hidden, std=0.05),
        "markov_head.markov_w1.weight": _random(rng, shape.vocab, rank, std=1.0),
        # As loud as the logits it is added to: a cap before the sum and one after it must differ.
        "markov_head.markov_w2.weight": _random(rng, shape.vocab, rank, std=1.2),
        "confidence_head.proj.weight": _random(rng, 1, shape.hidden + rank, std=0.03),
        "confidence_head.proj.bias": _random(rng, 1, std=0.5),
        **_layers(rng, shape, prefix=""),
    }
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(_draft_config(shape) | config))
    return Made(folder, write_safetensors(folder / "model.safetensors", weights, dtype))


_TOWER_TENSORS = (
    "model.vision_tower.patch_embedder.input_proj.weight",
    "model.audio_tower.output_proj.weight",
    "model.vision_embedder.patch_dense.weight",
    "model.embed_vision.embedding_projection.weight",
    "model.embed_audio.embedding_projection.weight",
)


def _wrapper(text: dict[str, Any]) -> dict[str, Any]:
    return {
        "architectures": ["Gemma4UnifiedForConditionalGeneration"],
        "model_type": "gemma4_unified",
        "text_config": text | {"model_type": "gemma4_unified_text"},
        "vision_config": {"model_type": "gemma4_unified_vision"},
        "audio_config": {"model_type": "gemma4_unified_audio"},
        "tie_word_embeddings": text["tie_word_embeddings"],
    }


def _config(shape: Gemma4Shape) -> dict[str, Any]:
    return {
        "model_type": "gemma4_text",
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "layer_types": [_FULL if is_full else _SLIDING for is_full in shape.is_full],
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "num_global_key_value_heads": shape.global_kv_heads,
        "head_dim": shape.head_dim,
        "global_head_dim": shape.global_head_dim,
        "intermediate_size": shape.inner,
        "vocab_size": shape.vocab,
        "max_position_embeddings": 4096,
        "rms_norm_eps": shape.epsilon,
        "sliding_window": shape.window,
        "attention_k_eq_v": shape.k_eq_v,
        "attention_bias": False,
        "enable_moe_block": False,
        "hidden_size_per_layer_input": 0,
        "num_kv_shared_layers": 0,
        "use_double_wide_mlp": False,
        "hidden_activation": "gelu_pytorch_tanh",
        "final_logit_softcapping": shape.soft_cap or None,
        "rope_parameters": {
            _SLIDING: {"rope_type": "default", "rope_theta": shape.sliding_theta},
            _FULL: {
                "rope_type": "proportional",
                "rope_theta": shape.theta,
                "partial_rotary_factor": shape.rotary_share,
            },
        },
    }


def _draft_config(shape: Gemma4Shape) -> dict[str, Any]:
    return {
        **_config(shape),
        "architectures": ["Gemma4DSparkModel"],
        "target_model_type": "gemma4_unified",
        "num_target_layers": GEMMA4_SHAPE.layers,
        "tie_word_embeddings": False,
        "target_layer_ids": GEMMA4_TARGET_LAYER_IDS,
        "mask_token_id": GEMMA4_MASK,
        "block_size": GEMMA4_BLOCK,
        "markov_rank": GEMMA4_MARKOV_RANK,
        "markov_head_type": "vanilla",
        "enable_confidence_head": True,
        "confidence_head_with_markov": True,
        "num_anchors": 8,
    }


def _layers(rng: np.random.Generator, shape: Gemma4Shape, *, prefix: str) -> Weights:
    weights: Weights = {}
    for layer, is_full in enumerate(shape.is_full):
        at = f"{prefix}layers.{layer}."
        width = shape.global_head_dim if is_full else shape.head_dim
        for name, size in _matrices(shape, is_full=is_full).items():
            weights[f"{at}{name}.weight"] = _random(rng, *size, std=0.08)
        for name, mean in (("input", 1), ("post_attention", 1), ("pre_feedforward", 1), ("post_feedforward", 0.4)):
            weights[f"{at}{name}_layernorm.weight"] = _norm(rng, shape.hidden, mean=mean)
        for name in ("q_norm", "k_norm"):  # small, for nothing else scales the scores down
            weights[f"{at}self_attn.{name}.weight"] = _norm(rng, width, mean=0.4)
        weights[f"{at}layer_scalar"] = rng.uniform(0.6, 0.9, 1).astype(np.float32)
    return weights


def _matrices(shape: Gemma4Shape, *, is_full: bool) -> dict[str, tuple[int, int]]:
    width, kv_heads = shape.head_dim, shape.kv_heads
    if is_full:
        width, kv_heads = shape.global_head_dim, shape.global_kv_heads if shape.k_eq_v else shape.kv_heads
    query, key_value = shape.heads * width, kv_heads * width
    matrices = {
        "self_attn.q_proj": (query, shape.hidden),
        "self_attn.k_proj": (key_value, shape.hidden),
        "self_attn.v_proj": (key_value, shape.hidden),
        "self_attn.o_proj": (shape.hidden, query),
        "mlp.gate_proj": (shape.inner, shape.hidden),
        "mlp.up_proj": (shape.inner, shape.hidden),
        "mlp.down_proj": (shape.hidden, shape.inner),
    }
    if is_full and shape.k_eq_v:
        del matrices["self_attn.v_proj"]
    return matrices


def _random(rng: np.random.Generator, *size: int, std: float) -> NDArray[np.float32]:
    return (rng.standard_normal(size) * std).astype(np.float32)


def _norm(rng: np.random.Generator, width: int, mean: float = 1.0) -> NDArray[np.float32]:
    # Not all alike: a norm left out or applied twice must show.
    return (mean * (1 + 0.2 * rng.standard_normal(width))).astype(np.float32)
