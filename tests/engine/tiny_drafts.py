"""Tiny EAGLE-3 and Gemma 4 assistant drafts of random weights, with targets for them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from tests.engine.tiny_gguf import F32, Random, finish, matrix, write_vocabulary

Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Eagle3Shape:
    hidden: int = 64
    layers: int = 8
    feed_forward: int = 128
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 32
    vocabulary: int = 600


@dataclass(frozen=True, slots=True)
class Eagle3Pair:
    target: Path
    draft: Path
    weights: Weights = field(default_factory=dict)
    embeddings: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), F32))
    ids: NDArray[np.int64] | None = None
    """Of a reduced vocabulary: the target's ids."""
    options: dict[str, bool] = field(default_factory=dict)


def write_eagle3_pair(
    folder: Path,
    *,
    draft_vocabulary: int = 0,
    has_head: bool = True,
    feature_layers: int = 3,
    norm_before_residual: bool = False,
    norm_before_fc: bool = False,
    seed: int = 1,
    shape: Eagle3Shape | None = None,
) -> Eagle3Pair:
    """A Qwen3 target, and a draft that reads three of its layers."""
    shape, random = shape or Eagle3Shape(), np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    embeddings, head = _write_qwen3(folder / "target.gguf", shape, random)
    ids = None
    if draft_vocabulary:
        ids = np.sort(random.permutation(np.arange(4, shape.vocabulary))[:draft_vocabulary])
    weights = _eagle3_weights(shape, random, rows=draft_vocabulary or shape.vocabulary, has_norm=norm_before_fc)
    if feature_layers != 3:  # DeepSpec's: only its converter can write that file
        weights["fc"] = matrix(random, shape.hidden, feature_layers * shape.hidden)
        for name in ("q_norm", "k_norm"):
            weights[name] = 1 + 0.3 * random.standard_normal(shape.head_dim).astype(F32)
        return Eagle3Pair(folder / "target.gguf", folder / "none.gguf", weights, embeddings)
    if not has_head:
        weights["head"] = head
    options = {"norm_before_residual": norm_before_residual, "norm_before_fc": norm_before_fc}
    _write_eagle3(folder / "draft.gguf", shape, weights, ids=ids, has_head=has_head, options=options)
    return Eagle3Pair(folder / "target.gguf", folder / "draft.gguf", weights, embeddings, ids, options)


def _eagle3_weights(shape: Eagle3Shape, random: Random, *, rows: int, has_norm: bool) -> Weights:
    hidden, attention, kv = shape.hidden, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    weights = {
        "fc": matrix(random, hidden, 3 * hidden),
        "in_norm": 1 + 0.1 * random.standard_normal(hidden).astype(F32),
        "h_norm": 1 + 0.1 * random.standard_normal(hidden).astype(F32),
        "q": matrix(random, attention, 2 * hidden),
        "k": matrix(random, kv, 2 * hidden),
        "v": matrix(random, kv, 2 * hidden),
        "o": matrix(random, hidden, attention),
        "ffn_norm": np.ones(hidden, F32),
        "gate": matrix(random, shape.feed_forward, hidden),
        "up": matrix(random, shape.feed_forward, hidden),
        "down": matrix(random, hidden, shape.feed_forward),
        "out_norm": np.ones(hidden, F32),
        "head": matrix(random, rows, hidden, std=3 * hidden**-0.5),
    }
    if has_norm:
        weights["fc_norm"] = 1 + 0.1 * random.standard_normal(3 * hidden).astype(F32)
    return weights


def _write_eagle3(
    path: Path,
    shape: Eagle3Shape,
    weights: Weights,
    *,
    ids: NDArray[np.int64] | None,
    has_head: bool,
    options: dict[str, bool],
) -> None:
    writer = gguf.GGUFWriter(str(path), "eagle3")
    writer.add_name("tiny eagle3")
    _add_shape(writer, shape, layers=1)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_vocab_size(shape.vocabulary)
    write_vocabulary(writer, shape.vocabulary, pre="qwen2")
    writer.add_array("eagle3.target_layers", [2, shape.layers // 2, shape.layers - 3])
    writer.add_uint32("eagle3.target_hidden_size", shape.hidden)
    for name, value in options.items():
        writer.add_bool(f"eagle3.{name}", value)
    writer.add_tensor("fc.weight", weights["fc"])
    if "fc_norm" in weights:
        writer.add_tensor("enc.output_norm.weight", weights["fc_norm"])
    for name, key in (("attn_norm", "in_norm"), ("attn_norm_2", "h_norm"), ("ffn_norm", "ffn_norm")):
        writer.add_tensor(f"blk.0.{name}.weight", weights[key])
    writer.add_tensor("blk.0.attn_q.weight", permuted(weights["q"], shape.heads))
    writer.add_tensor("blk.0.attn_k.weight", permuted(weights["k"], shape.kv_heads))
    for name, key in (
        ("attn_v", "v"),
        ("attn_output", "o"),
        ("ffn_gate", "gate"),
        ("ffn_up", "up"),
        ("ffn_down", "down"),
    ):
        writer.add_tensor(f"blk.0.{name}.weight", weights[key])
    writer.add_tensor("output_norm.weight", weights["out_norm"])
    if has_head:
        writer.add_tensor("output.weight", weights["head"])
    if ids is not None:
        writer.add_tensor("d2t", ids.astype(np.int64))
    finish(writer, path)


def permuted(weights: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of rotated halves as llama.cpp's interleaved rotation wants them."""
    pairs = weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
    return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(weights.shape))


def _write_qwen3(path: Path, shape: Eagle3Shape, random: Random) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    hidden, attention, kv = shape.hidden, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    writer = gguf.GGUFWriter(str(path), "qwen3")
    writer.add_name("tiny qwen3")
    _add_shape(writer, shape, layers=shape.layers)
    write_vocabulary(writer, shape.vocabulary, pre="qwen2")
    embeddings = matrix(random, shape.vocabulary, hidden, std=1.0)
    head = matrix(random, shape.vocabulary, hidden, std=3 * hidden**-0.5)
    writer.add_tensor("token_embd.weight", embeddings)
    writer.add_tensor("output_norm.weight", np.ones(hidden, F32))
    writer.add_tensor("output.weight", head)
    for layer in range(shape.layers):
        for name, rows, columns in (
            ("attn_q", attention, hidden),
            ("attn_k", kv, hidden),
            ("attn_v", kv, hidden),
            ("attn_output", hidden, attention),
            ("ffn_gate", shape.feed_forward, hidden),
            ("ffn_up", shape.feed_forward, hidden),
            ("ffn_down", hidden, shape.feed_forward),
        ):
            writer.add_tensor(f"blk.{layer}.{name}.weight", matrix(random, rows, columns))
        for name, width in (
            ("attn_norm", hidden),
            ("ffn_norm", hidden),
            ("attn_q_norm", shape.head_dim),
            ("attn_k_norm", shape.head_dim),
        ):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(width, F32))
    finish(writer, path)
    return embeddings, head


def _add_shape(writer: Any, shape: Eagle3Shape, *, layers: int) -> None:
    writer.add_block_count(layers)
    writer.add_context_length(4096)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)


@dataclass(frozen=True, slots=True)
class Gemma4Shape:
    hidden: int = 64
    draft_hidden: int = 48
    layers: int = 6
    draft_layers: int = 2
    heads: int = 4
    head_dim: int = 64
    sliding_head_dim: int = 32
    feed_forward: int = 128
    window: int = 24
    vocabulary: int = 600


def write_assistant_pair(folder: Path, *, seed: int = 6, shape: Gemma4Shape | None = None) -> tuple[Path, Path]:
    """A Gemma 4 target with sliding layers and a global one at its end, and its assistant."""
    shape, random = shape or Gemma4Shape(), np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "gemma4.gguf"
    sliding = [True] * (shape.layers - 1) + [False]
    kv_heads = [2] * (shape.layers - 1) + [1]
    writer = gguf.GGUFWriter(str(target), "gemma4")
    _add_gemma4(writer, "gemma4", shape, hidden=shape.hidden, sliding=sliding, kv_heads=kv_heads)
    writer.add_float32("gemma4.final_logit_softcapping", 30.0)
    writer.add_tensor("token_embd.weight", matrix(random, shape.vocabulary, shape.hidden))
    writer.add_tensor("output.weight", matrix(random, shape.vocabulary, shape.hidden, std=3 * shape.hidden**-0.5))
    _add_gemma4_layers(writer, shape, random, hidden=shape.hidden, sliding=sliding, kv_heads=kv_heads)
    finish(writer, target)
    draft = folder / "assistant.gguf"
    writer = gguf.GGUFWriter(str(draft), "gemma4-assistant")
    sliding, kv_heads = [True, False], [2, 1]
    _add_gemma4(writer, "gemma4-assistant", shape, hidden=shape.draft_hidden, sliding=sliding, kv_heads=kv_heads)
    writer.add_uint32("gemma4-assistant.embedding_length_out", shape.hidden)
    writer.add_uint32("gemma4-assistant.nextn_predict_layers", shape.draft_layers)
    hidden = shape.draft_hidden
    writer.add_tensor("token_embd.weight", matrix(random, shape.vocabulary, hidden, std=3 * hidden**-0.5))
    writer.add_tensor("nextn.pre_projection.weight", matrix(random, hidden, 2 * shape.hidden))
    writer.add_tensor("nextn.post_projection.weight", matrix(random, shape.hidden, hidden))
    _add_gemma4_layers(writer, shape, random, hidden=hidden, sliding=sliding, kv_heads=())
    finish(writer, draft)
    return target, draft


def _add_gemma4(
    writer: Any, architecture: str, shape: Gemma4Shape, *, hidden: int, sliding: Sequence[bool], kv_heads: Sequence[int]
) -> None:
    writer.add_block_count(len(sliding))
    writer.add_context_length(4096)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(list(kv_heads))
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    for key, value in (
        ("attention.key_length_swa", shape.sliding_head_dim),
        ("attention.value_length_swa", shape.sliding_head_dim),
        ("rope.dimension_count", shape.head_dim),
        ("rope.dimension_count_swa", shape.sliding_head_dim),
        ("attention.sliding_window", shape.window),
        ("attention.shared_kv_layers", 0),
        ("embedding_length_per_layer_input", 0),
    ):
        writer.add_uint32(f"{architecture}.{key}", value)
    writer.add_float32(f"{architecture}.rope.freq_base_swa", 1e4)
    writer.add_array(f"{architecture}.attention.sliding_window_pattern", list(sliding))
    write_vocabulary(writer, shape.vocabulary, pre="qwen2")


def _add_gemma4_layers(
    writer: Any, shape: Gemma4Shape, random: Random, *, hidden: int, sliding: Sequence[bool], kv_heads: Sequence[int]
) -> None:
    """Without `kv_heads` the layers have no keys and values of their own."""
    writer.add_tensor("output_norm.weight", np.ones(hidden, F32))
    rotated = shape.head_dim // 8
    writer.add_tensor("rope_freqs.weight", np.array([1.0] * rotated + [1e30] * (shape.head_dim // 2 - rotated), F32))
    for layer, slides in enumerate(sliding):
        width = shape.sliding_head_dim if slides else shape.head_dim
        matrices = [
            ("attn_q", shape.heads * width, hidden),
            ("attn_output", hidden, shape.heads * width),
            ("ffn_gate", shape.feed_forward, hidden),
            ("ffn_up", shape.feed_forward, hidden),
            ("ffn_down", hidden, shape.feed_forward),
        ]
        norms = [(name, hidden) for name in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")]
        norms.append(("attn_q_norm", width))
        if kv_heads:
            matrices.append(("attn_k", kv_heads[layer] * width, hidden))
            norms.append(("attn_k_norm", width))
            if slides:
                matrices.append(("attn_v", kv_heads[layer] * width, hidden))
        for name, rows, columns in matrices:
            writer.add_tensor(f"blk.{layer}.{name}.weight", matrix(random, rows, columns))
        for name, size in norms:
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(size, F32))
        writer.add_tensor(f"blk.{layer}.layer_output_scale.weight", np.ones(1, F32))
