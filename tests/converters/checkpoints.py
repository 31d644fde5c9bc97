"""Random two- and three-layer checkpoints, written as safetensors by this file's own few lines."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.converters.tokenizer import write_tokenizer
from tests.reference.qwen3 import Shape

Weights = dict[str, NDArray[np.float32]]

TARGET_SHAPE = Shape(hidden=256, layers=3, heads=4, kv_heads=2, head_dim=64, inner=512, vocab=352)
DRAFT_SHAPE = replace(TARGET_SHAPE, layers=2)
MARKOV_RANK = 64
TARGET_LAYER_IDS = [0, 1]
MASK_ID = 319  # "<|mask|>", the last of the four special tokens after 256 bytes and 60 merges
BLOCK = 5
_WHOLE_NUMBERS = {"i": "I64", "b": "BOOL"}


@dataclass(frozen=True, slots=True)
class Made:
    folder: Path
    weights: Mapping[str, NDArray[np.float64]]
    """As a reader of the file sees them: after rounding to the stored type."""


def make_target(folder: Path, *, tied: bool, dtype: str = "F32", **config: Any) -> Made:
    rng = np.random.default_rng(1)
    shape = TARGET_SHAPE
    weights = {
        "model.embed_tokens.weight": _random(rng, shape.vocab, shape.hidden, std=1.0),
        "model.norm.weight": _norm(rng, shape.hidden),
        **_layers(rng, shape, prefix="model."),
    }
    if not tied:
        weights["lm_head.weight"] = _random(rng, shape.vocab, shape.hidden, std=0.1)
    folder.mkdir(parents=True)
    write_tokenizer(folder)
    stated = {"architectures": ["Qwen3ForCausalLM"], "tie_word_embeddings": tied, **_config(shape), **config}
    (folder / "config.json").write_text(json.dumps(stated))
    return Made(folder, write_safetensors(folder / "model.safetensors", weights, dtype))


def make_draft(
    folder: Path,
    target: Made,
    *,
    own_head: bool = False,
    confidence: bool = True,
    dtype: str = "F32",
    **config: Any,
) -> Made:
    """A draft for `target`: its embeddings and head are copies, unless it has its own, trained on from there."""
    rng = np.random.default_rng(2)
    shape = DRAFT_SHAPE
    embeddings = target.weights["model.embed_tokens.weight"].astype(np.float32)
    head = target.weights.get("lm_head.weight", embeddings).astype(np.float32)
    if own_head:
        embeddings = embeddings + _random(rng, *embeddings.shape, std=0.7)
        head = head + _random(rng, *head.shape, std=0.1)
    weights = {
        "embed_tokens.weight": embeddings,
        "lm_head.weight": head,
        "norm.weight": _norm(rng, shape.hidden),
        "hidden_norm.weight": _norm(rng, shape.hidden),
        "fc.weight": _random(rng, shape.hidden, len(TARGET_LAYER_IDS) * shape.hidden, std=0.05),
        "markov_head.markov_w1.weight": _random(rng, shape.vocab, MARKOV_RANK, std=1.0),
        "markov_head.markov_w2.weight": _random(rng, shape.vocab, MARKOV_RANK, std=0.3),
        **_layers(rng, shape, prefix=""),
    }
    if confidence:
        weights["confidence_head.proj.weight"] = _random(rng, 1, shape.hidden + MARKOV_RANK, std=0.1)
        weights["confidence_head.proj.bias"] = _random(rng, 1, std=0.5)
    folder.mkdir(parents=True)
    stated = _draft_config(shape) | {"enable_confidence_head": confidence} | config
    (folder / "config.json").write_text(json.dumps(stated))
    return Made(folder, write_safetensors(folder / "model.safetensors", weights, dtype))


def make_dflash(folder: Path, target: Made, **config: Any) -> Made:
    """DeepSpec's DFlash: a DSpark without its two heads."""
    made = make_draft(folder, target, confidence=False, markov_rank=0, **config)
    return _without(made, "markov_head.")


def make_zlab_dflash(folder: Path, target: Made) -> Made:
    """z-lab's: no embeddings, no head, its own section in config.json; the anchor's row predicts nothing."""
    made = _without(make_draft(folder, target), "markov_head.", "confidence_head.", "embed_tokens.", "lm_head.")
    own = {"target_layer_ids": TARGET_LAYER_IDS, "mask_token_id": MASK_ID, "causal": False}
    stated = _config(DRAFT_SHAPE) | {"architectures": ["DFlashDraftModel"], "block_size": BLOCK, "dflash_config": own}
    (folder / "config.json").write_text(json.dumps(stated))
    return made


def make_speculators(folder: Path, target: Made, *, reduced: Sequence[int] = (), **config: Any) -> Made:
    """vLLM speculators' export of a DSpark; `reduced` are the target's tokens it can propose, if not all."""
    made = make_draft(folder, target)
    weights: dict[str, NDArray[Any]] = dict(made.weights)
    stated: dict[str, object] = {
        "architectures": ["DSparkDraftModel"],
        "speculators_model_type": "dspark",
        "transformer_layer_config": _config(DRAFT_SHAPE),
        "speculators_config": {"verifier": {"name_or_path": "Somebody/Target-3L"}},
        "aux_hidden_state_layer_ids": [layer + 1 for layer in TARGET_LAYER_IDS],
        "mask_token_id": MASK_ID,
        "block_size": BLOCK,
        "draft_vocab_size": len(reduced) or TARGET_SHAPE.vocab,
        "markov_rank": MARKOV_RANK,
        "markov_head_type": "vanilla",
        "enable_confidence_head": True,
        "confidence_head_with_markov": True,
    }
    if reduced:
        ids = np.array(reduced)
        for name in ("lm_head.weight", "markov_head.markov_w2.weight"):
            weights[name] = weights[name][ids]
        weights["d2t"] = ids - np.arange(len(ids))
        weights["t2d"] = np.isin(np.arange(TARGET_SHAPE.vocab), ids)
    (folder / "config.json").write_text(json.dumps(stated | config))
    return Made(folder, write_safetensors(folder / "model.safetensors", weights, "F32"))


def _without(made: Made, *prefixes: str) -> Made:
    kept = {name: values for name, values in made.weights.items() if not name.startswith(prefixes)}
    return Made(made.folder, write_safetensors(made.folder / "model.safetensors", kept, "F32"))


def write_safetensors(path: Path, weights: Mapping[str, NDArray[Any]], dtype: str) -> dict[str, NDArray[np.float64]]:
    """Write the file; return the values as stored."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    blobs, offset, stored = [], 0, {}
    for name, values in weights.items():
        own_dtype = _WHOLE_NUMBERS.get(values.dtype.kind, dtype)
        raw, stored[name] = _as_stored(values, own_dtype)
        header[name] = {"dtype": own_dtype, "shape": list(values.shape), "data_offsets": [offset, offset + len(raw)]}
        offset += len(raw)
        blobs.append(raw)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))
    return stored


def _as_stored(values: NDArray[Any], dtype: str) -> tuple[bytes, NDArray[Any]]:
    if dtype in _WHOLE_NUMBERS.values():
        return values.astype({"I64": "<i8", "BOOL": "?"}[dtype]).tobytes(), values
    values = np.asarray(values, np.float32)
    if dtype == "BF16":  # cut, not rounded: any bfloat16 will do
        bits = (values.view("<u4") >> np.uint32(16)).astype("<u2")
        return bits.tobytes(), (bits.astype("<u4") << np.uint32(16)).view("<f4").astype(np.float64)
    typed = values.astype({"F32": "<f4", "F16": "<f2"}[dtype])
    return typed.tobytes(), typed.astype(np.float64)


def _config(shape: Shape) -> dict[str, object]:
    return {
        "model_type": "qwen3",
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "intermediate_size": shape.inner,
        "vocab_size": shape.vocab,
        "max_position_embeddings": 4096,
        "rms_norm_eps": shape.epsilon,
        "rope_theta": shape.rope.theta,
        "hidden_act": "silu",
    }


def _draft_config(shape: Shape) -> dict[str, object]:
    return {
        "architectures": ["Qwen3DSparkModel"],
        **_config(shape),
        "num_target_layers": TARGET_SHAPE.layers,
        "tie_word_embeddings": False,
        "target_layer_ids": TARGET_LAYER_IDS,
        "mask_token_id": MASK_ID,
        "block_size": BLOCK,
        "markov_rank": MARKOV_RANK,
        "markov_head_type": "vanilla",
        "enable_confidence_head": True,
        "confidence_head_with_markov": True,
        "num_anchors": 8,
    }


def _layers(rng: np.random.Generator, shape: Shape, *, prefix: str) -> Weights:
    query, key_value = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    matrices = {
        "self_attn.q_proj": (query, shape.hidden),
        "self_attn.k_proj": (key_value, shape.hidden),
        "self_attn.v_proj": (key_value, shape.hidden),
        "self_attn.o_proj": (shape.hidden, query),
        "mlp.gate_proj": (shape.inner, shape.hidden),
        "mlp.up_proj": (shape.inner, shape.hidden),
        "mlp.down_proj": (shape.hidden, shape.inner),
    }
    norms = {
        "input_layernorm": shape.hidden,
        "post_attention_layernorm": shape.hidden,
        "self_attn.q_norm": shape.head_dim,
        "self_attn.k_norm": shape.head_dim,
    }
    weights: Weights = {}
    for layer in range(shape.layers):
        at = f"{prefix}layers.{layer}."
        weights |= {f"{at}{name}.weight": _random(rng, *size, std=0.08) for name, size in matrices.items()}
        weights |= {f"{at}{name}.weight": _norm(rng, width) for name, width in norms.items()}
    return weights


def _random(rng: np.random.Generator, *size: int, std: float) -> NDArray[np.float32]:
    return (rng.standard_normal(size) * std).astype(np.float32)


def _norm(rng: np.random.Generator, width: int) -> NDArray[np.float32]:
    # Not all ones: a norm left out or applied twice must show.
    return (1 + 0.2 * rng.standard_normal(width)).astype(np.float32)


def split_into_shards(made: Made, count: int) -> None:
    """Replace the single file by several and an index, as large checkpoints come."""
    names = list(made.weights)
    weight_map: dict[str, str] = {}
    for shard in range(count):
        file = f"model-{shard + 1:05}-of-{count:05}.safetensors"
        mine = names[shard::count]
        write_safetensors(made.folder / file, {name: made.weights[name] for name in mine}, "F32")
        weight_map |= dict.fromkeys(mine, file)
    (made.folder / "model.safetensors").unlink()
    (made.folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
