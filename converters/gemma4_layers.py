"""The tensors of Gemma 4 layers, which targets and drafts share, and how fast their heads turn."""

from collections.abc import Iterator

import numpy as np

from converters import names
from converters.checkpoint import Checkpoint
from converters.config import Config
from converters.gemma4_shape import Gemma4Shape, LayerShape
from converters.plan import PlannedTensor, exact, matrix
from converters.safetensors import StoredTensor

_STILL = 1e30  # llama.cpp divides a pair's speed by its factor


def layer_tensors(checkpoint: Checkpoint, shape: Gemma4Shape, encoding: str, *, prefix: str) -> Iterator[PlannedTensor]:
    """Every layer's tensors; `prefix` is what stands before `layers.` in the checkpoint."""
    for layer in range(len(shape.is_full)):
        at = f"{prefix}layers.{layer}."
        sizes = shape.layer(layer)
        for name, part, size in _matrices(checkpoint.config, sizes):
            yield matrix(names.layer_tensor(layer, part), checkpoint.tensor(f"{at}{name}.weight", *size), encoding)
        for name, part, width in _norms(checkpoint.config, sizes):
            yield exact(names.layer_tensor(layer, part), checkpoint.tensor(f"{at}{name}.weight", width))
        if f"{at}layer_scalar" in checkpoint.tensors:  # without one it is 1
            scalar = checkpoint.tensor(f"{at}layer_scalar", 1)
            yield exact(names.layer_tensor(layer, names.LAYER_OUTPUT_SCALE), scalar)


def rope_frequencies(shape: Gemma4Shape) -> PlannedTensor:
    """What a full layer's speeds are divided by: the pairs beyond its share stand still where they are."""
    factors = np.full(shape.full.head_dim // 2, _STILL, "<f4")
    factors[: shape.full_rope.turning] = 1
    return exact(names.ROPE_FREQS, StoredTensor(names.ROPE_FREQS, "F32", factors))


def _matrices(config: Config, layer: LayerShape) -> Iterator[tuple[str, str, tuple[int, int]]]:
    hidden, inner = config.count("hidden_size"), config.count("intermediate_size")
    query, key_value = config.count("num_attention_heads") * layer.head_dim, layer.kv_heads * layer.head_dim
    yield "self_attn.q_proj", names.ATTENTION_Q, (query, hidden)
    yield "self_attn.k_proj", names.ATTENTION_K, (key_value, hidden)
    if layer.has_values:
        yield "self_attn.v_proj", names.ATTENTION_V, (key_value, hidden)
    yield "self_attn.o_proj", names.ATTENTION_OUTPUT, (hidden, query)
    yield "mlp.gate_proj", names.FFN_GATE, (inner, hidden)
    yield "mlp.up_proj", names.FFN_UP, (inner, hidden)
    yield "mlp.down_proj", names.FFN_DOWN, (hidden, inner)


def _norms(config: Config, layer: LayerShape) -> Iterator[tuple[str, str, int]]:
    hidden = config.count("hidden_size")
    yield "input_layernorm", names.ATTENTION_NORM, hidden
    yield "post_attention_layernorm", names.POST_ATTENTION_NORM, hidden
    yield "pre_feedforward_layernorm", names.FFN_NORM, hidden
    yield "post_feedforward_layernorm", names.POST_FFN_NORM, hidden
    yield "self_attn.q_norm", names.ATTENTION_Q_NORM, layer.head_dim
    yield "self_attn.k_norm", names.ATTENTION_K_NORM, layer.head_dim
