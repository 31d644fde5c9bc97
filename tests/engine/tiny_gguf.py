"""Tiny GGUF files of random weights, written without a checkpoint: a hybrid target, and a plain one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|mask|>")
FIRST_PLAIN = 260
"""Ids from here on are ordinary words."""
F32 = np.float32
Random = np.random.Generator


@dataclass(frozen=True, slots=True)
class HybridShape:
    """Qwen3.5: three layers of gated delta net (recurrent) to one of attention, and its own MTP layer at the end."""

    hidden: int = 64
    layers: int = 8
    feed_forward: int = 128
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 32
    rotated: int = 16
    vocabulary: int = 600
    key_heads: int = 2
    value_heads: int = 4
    state: int = 32
    kernel: int = 4


def write_hybrid(
    path: Path, *, layers: int = 8, seed: int = 4, shape: HybridShape | None = None, has_trunk: bool = True
) -> Path:
    """Without its trunk it is what `mtp-<model>.gguf` is: the MTP layer, embeddings and head."""
    shape, random = shape or HybridShape(layers=layers), np.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), "qwen35")
    writer.add_name("tiny qwen35")
    writer.add_block_count(shape.layers + 1)
    writer.add_context_length(4096)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_rope_dimension_count(shape.rotated)
    writer.add_array("qwen35.rope.dimension_sections", [shape.rotated // 2 - 4, 2, 2, 0])
    for key, value in (
        ("nextn_predict_layers", 1),
        ("full_attention_interval", 4),
        ("ssm.conv_kernel", shape.kernel),
        ("ssm.state_size", shape.state),
        ("ssm.group_count", shape.key_heads),
        ("ssm.time_step_rank", shape.value_heads),
        ("ssm.inner_size", shape.value_heads * shape.state),
    ):
        writer.add_uint32(f"qwen35.{key}", value)
    write_vocabulary(writer, shape.vocabulary, pre="qwen35")
    writer.add_tensor("token_embd.weight", matrix(random, shape.vocabulary, shape.hidden, std=1.0))
    writer.add_tensor("output.weight", matrix(random, shape.vocabulary, shape.hidden, std=3 * shape.hidden**-0.5))
    writer.add_tensor("output_norm.weight", np.ones(shape.hidden, F32))
    for layer in range(shape.layers + 1):
        for name, values in _hybrid_layer(shape, random, layer).items():
            if has_trunk or layer == shape.layers:
                writer.add_tensor(f"blk.{layer}.{name}", values)
    return finish(writer, path)


def write_plain(
    path: Path,
    *,
    hidden: int = 64,
    layers: int = 2,
    vocabulary: int = 600,
    seed: int = 5,
    damped: float = 1.0,
    words: str = "tok",
) -> Path:
    """A llama with the same vocabulary. Layers are drawn one by one, so that a shorter one is the beginning of a
    longer one; the smaller `damped`, the more the two say the same."""
    random, heads, feed_forward = np.random.default_rng(seed), 4, 2 * hidden
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("tiny llama")
    writer.add_block_count(layers)
    writer.add_context_length(4096)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(feed_forward)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e4)
    writer.add_rope_dimension_count(hidden // heads)
    write_vocabulary(writer, vocabulary, pre="qwen2", words=words)
    rows = max(vocabulary, 700)  # as many are drawn whatever the vocabulary, so that its size changes nothing else
    writer.add_tensor("token_embd.weight", matrix(random, rows, hidden, std=1.0)[:vocabulary])
    writer.add_tensor("output.weight", matrix(random, rows, hidden, std=3 * hidden**-0.5)[:vocabulary])
    writer.add_tensor("output_norm.weight", np.ones(hidden, F32))
    for layer in range(layers):
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(hidden, F32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            std = damped * hidden**-0.5 if name == "attn_output" else None
            writer.add_tensor(f"blk.{layer}.{name}.weight", matrix(random, hidden, hidden, std=std))
        writer.add_tensor(f"blk.{layer}.ffn_gate.weight", matrix(random, feed_forward, hidden))
        writer.add_tensor(f"blk.{layer}.ffn_up.weight", matrix(random, feed_forward, hidden))
        down = matrix(random, hidden, feed_forward, std=damped * feed_forward**-0.5)
        writer.add_tensor(f"blk.{layer}.ffn_down.weight", down)
    return finish(writer, path)


def write_vocabulary(writer: Any, size: int, *, pre: str, words: str = "tok") -> None:
    tokens = [*SPECIALS, *_byte_tokens()]
    tokens += [f"{words}{i}" for i in range(size - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(SPECIALS) + [1] * (size - len(SPECIALS)))
    writer.add_token_merges(["\u0120 \u0120"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)


def matrix(random: Random, rows: int, columns: int, *, std: float | None = None) -> NDArray[np.float32]:
    return random.standard_normal((rows, columns), dtype=F32) * F32(std or columns**-0.5)


def finish(writer: Any, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _hybrid_layer(shape: HybridShape, random: Random, layer: int) -> dict[str, NDArray[np.float32]]:
    hidden, feed_forward = shape.hidden, shape.feed_forward
    keys, values = shape.key_heads * shape.state, shape.value_heads * shape.state
    attention = shape.heads * shape.head_dim
    is_recurrent = bool((layer + 1) % 4) and layer < shape.layers
    norms = {"attn_norm": hidden, "post_attention_norm": hidden}
    matrices = {
        "ffn_gate": (feed_forward, hidden),
        "ffn_up": (feed_forward, hidden),
        "ffn_down": (hidden, feed_forward),
    }
    tensors: dict[str, NDArray[np.float32]] = {}
    if is_recurrent:
        matrices |= {
            "attn_qkv": (2 * keys + values, hidden),
            "attn_gate": (values, hidden),
            "ssm_beta": (shape.value_heads, hidden),
            "ssm_alpha": (shape.value_heads, hidden),
            "ssm_out": (hidden, values),
        }
        tensors["ssm_conv1d.weight"] = matrix(random, 2 * keys + values, shape.kernel, std=0.5)
        tensors["ssm_dt.bias"] = 0.3 * random.standard_normal(shape.value_heads).astype(F32)
        tensors["ssm_a"] = -np.exp(0.3 * random.standard_normal(shape.value_heads)).astype(F32)
        tensors["ssm_norm.weight"] = np.ones(shape.state, F32)
    else:
        norms |= {"attn_q_norm": shape.head_dim, "attn_k_norm": shape.head_dim}
        matrices |= {
            "attn_q": (2 * attention, hidden),
            "attn_k": (shape.kv_heads * shape.head_dim, hidden),
            "attn_v": (shape.kv_heads * shape.head_dim, hidden),
            "attn_output": (hidden, attention),
        }
    if layer == shape.layers:
        norms |= {"nextn.enorm": hidden, "nextn.hnorm": hidden, "nextn.shared_head_norm": hidden}
        matrices["nextn.eh_proj"] = (hidden, 2 * hidden)
    for name, width in norms.items():
        tensors[f"{name}.weight"] = (1 + 0.1 * random.standard_normal(width)).astype(F32)
    for name, (rows, columns) in matrices.items():
        tensors[f"{name}.weight"] = matrix(random, rows, columns)
    return tensors


def _byte_tokens() -> list[str]:
    """The 256 byte tokens as byte-level BPE spells them."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, extra = {}, 0
    for byte in range(256):
        if byte in printable:
            table[byte] = chr(byte)
        else:
            table[byte], extra = chr(256 + extra), extra + 1
    return [table[byte] for byte in range(256)]
