"""Tiny GGUF files of random weights: a mixture of experts (Qwen3-MoE), and a hybrid of short convolutions (LFM2)."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tests.engine.tiny_gguf import F32, Random, finish, matrix, write_vocabulary

HIDDEN, HEADS, KV_HEADS, HEAD_DIM, VOCABULARY = 64, 4, 2, 32, 600


def write_moe(
    path: Path, *, layers: int = 4, experts: int = 8, used: int = 2, expert_feed_forward: int = 64, seed: int = 6
) -> Path:
    random = np.random.default_rng(seed)
    writer = _begun(path, "qwen3moe", layers, kv_heads=KV_HEADS, feed_forward=expert_feed_forward * used)
    writer.add_expert_count(experts)
    writer.add_expert_used_count(used)
    writer.add_expert_feed_forward_length(expert_feed_forward)
    writer.add_tensor("output_norm.weight", np.ones(HIDDEN, F32))
    for layer in range(layers):
        at = f"blk.{layer}"
        _add_attention(writer, random, at)
        writer.add_tensor(f"{at}.ffn_gate_inp.weight", matrix(random, experts, HIDDEN, std=1.0))
        for name, rows, columns in (
            ("gate", expert_feed_forward, HIDDEN),
            ("up", expert_feed_forward, HIDDEN),
            ("down", HIDDEN, expert_feed_forward),
        ):
            weights = matrix(random, experts * rows, columns).reshape(experts, rows, columns)
            writer.add_tensor(f"{at}.ffn_{name}_exps.weight", weights)
    return finish(writer, path)


def write_lfm2(path: Path, *, layers: int = 6, seed: int = 7) -> Path:
    """Every third layer is one of attention."""
    random, feed_forward = np.random.default_rng(seed), 128
    kv_heads = [KV_HEADS if layer % 3 == 2 else 0 for layer in range(layers)]
    writer = _begun(path, "lfm2", layers, kv_heads=kv_heads, feed_forward=feed_forward)
    writer.add_shortconv_l_cache(3)
    writer.add_tensor("token_embd_norm.weight", np.ones(HIDDEN, F32))
    for layer in range(layers):
        at = f"blk.{layer}"
        if kv_heads[layer]:
            _add_attention(writer, random, at, width=HIDDEN)
        else:
            for name in ("attn_norm", "ffn_norm"):
                writer.add_tensor(f"{at}.{name}.weight", np.ones(HIDDEN, F32))
            writer.add_tensor(f"{at}.shortconv.conv.weight", matrix(random, HIDDEN, 3))
            writer.add_tensor(f"{at}.shortconv.in_proj.weight", matrix(random, 3 * HIDDEN, HIDDEN))
            writer.add_tensor(f"{at}.shortconv.out_proj.weight", matrix(random, HIDDEN, HIDDEN))
        for name, rows, columns in (
            ("gate", feed_forward, HIDDEN),
            ("up", feed_forward, HIDDEN),
            ("down", HIDDEN, feed_forward),
        ):
            writer.add_tensor(f"{at}.ffn_{name}.weight", matrix(random, rows, columns))
    return finish(writer, path)


def _begun(path: Path, architecture: str, layers: int, *, kv_heads: int | list[int], feed_forward: int) -> Any:
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_name(f"tiny {architecture}")
    writer.add_block_count(layers)
    writer.add_context_length(8192)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(feed_forward)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(kv_heads)
    if architecture != "lfm2":  # whose heads divide the width
        writer.add_key_length(HEAD_DIM)
        writer.add_value_length(HEAD_DIM)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    write_vocabulary(writer, VOCABULARY, pre="qwen2")
    random = np.random.default_rng(1)
    writer.add_tensor("token_embd.weight", matrix(random, VOCABULARY, HIDDEN, std=1.0))
    writer.add_tensor("output.weight", matrix(random, VOCABULARY, HIDDEN, std=3 * HIDDEN**-0.5))
    return writer


def _add_attention(writer: Any, random: Random, at: str, *, width: int = HEADS * HEAD_DIM) -> None:
    head = width // HEADS
    for name, size in (("attn_norm", HIDDEN), ("ffn_norm", HIDDEN), ("attn_q_norm", head), ("attn_k_norm", head)):
        writer.add_tensor(f"{at}.{name}.weight", np.ones(size, F32))
    for name, rows, columns in (
        ("q", width, HIDDEN),
        ("k", KV_HEADS * head, HIDDEN),
        ("v", KV_HEADS * head, HIDDEN),
        ("output", HIDDEN, width),
    ):
        writer.add_tensor(f"{at}.attn_{name}.weight", matrix(random, rows, columns))
