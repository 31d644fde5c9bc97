"""Qwen3 from its equations: logits of every position, and what enters each layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.reference.numerics import Array, attend, rms_norm, rotate, silu
from tests.reference.rope import PLAIN, Rope


@dataclass(frozen=True, slots=True)
class Shape:
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    inner: int
    vocab: int
    rope: Rope = PLAIN
    epsilon: float = 1e-6


class Layer:
    """One Qwen3 layer, from weights named as in a checkpoint."""

    def __init__(self, weights: Mapping[str, Array], prefix: str, shape: Shape) -> None:
        self._weights = weights
        self._prefix = prefix
        self._shape = shape

    def weight(self, name: str) -> Array:
        return self._weights[f"{self._prefix}{name}.weight"]

    def norm(self, x: Array, name: str) -> Array:
        return rms_norm(x, self.weight(name), self._shape.epsilon)

    def query(self, x: Array, positions: NDArray[np.int64]) -> Array:
        q = self._heads(x @ self.weight("self_attn.q_proj").T)
        return self._turn(self.norm(q, "self_attn.q_norm"), positions)

    def key(self, x: Array, positions: NDArray[np.int64]) -> Array:
        k = self._heads(x @ self.weight("self_attn.k_proj").T)
        return self._turn(self.norm(k, "self_attn.k_norm"), positions)

    def value(self, x: Array) -> Array:
        return self._heads(x @ self.weight("self_attn.v_proj").T)

    def output(self, attended: Array) -> Array:
        rows = attended.transpose(1, 0, 2).reshape(attended.shape[1], -1)  # (rows, heads * head_dim)
        return rows @ self.weight("self_attn.o_proj").T

    def feed_forward(self, x: Array) -> Array:
        gate = silu(x @ self.weight("mlp.gate_proj").T)
        return (gate * (x @ self.weight("mlp.up_proj").T)) @ self.weight("mlp.down_proj").T

    def _turn(self, x: Array, positions: NDArray[np.int64]) -> Array:
        rope = self._shape.rope
        return rotate(x, positions, rope.frequencies(self._shape.head_dim), rope.magnitude)

    def _heads(self, x: Array) -> Array:
        return x.reshape(len(x), -1, self._shape.head_dim).transpose(1, 0, 2)  # (heads, rows, head_dim)


def target_forward(weights: Mapping[str, Array], shape: Shape, tokens: Sequence[int]) -> tuple[Array, list[Array]]:
    """Logits (rows, vocab), and the input of every layer, followed by the output of the last."""
    positions = np.arange(len(tokens))
    causal = positions[:, None] >= positions[None, :]
    x = weights["model.embed_tokens.weight"][list(tokens)]  # (rows, hidden)
    inputs = [x]
    for index in range(shape.layers):
        layer = Layer(weights, f"model.layers.{index}.", shape)
        y = layer.norm(x, "input_layernorm")
        x = x + layer.output(attend(layer.query(y, positions), layer.key(y, positions), layer.value(y), causal))
        x = x + layer.feed_forward(layer.norm(x, "post_attention_layernorm"))
        inputs.append(x)
    head = weights.get("lm_head.weight", weights["model.embed_tokens.weight"])
    return rms_norm(x, weights["model.norm.weight"], shape.epsilon) @ head.T, inputs
