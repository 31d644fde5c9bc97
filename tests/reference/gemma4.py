"""Gemma 4 (dense text) from its equations: logits of every position, and what enters each layer.

Sliding and full layers differ in head width, in key-value heads, in what they see and in how they turn: a full
layer turns only a share of each head, and where `k_eq_v` its values are its keys before norm and rotation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.reference.numerics import Array, attend, gelu_tanh, rms_norm, rotate, soft_cap


@dataclass(frozen=True, slots=True)
class Gemma4Shape:
    hidden: int
    is_full: tuple[bool, ...]
    """For each layer; the others see a sliding window."""

    heads: int
    kv_heads: int
    head_dim: int
    global_kv_heads: int
    global_head_dim: int
    inner: int
    vocab: int
    window: int
    k_eq_v: bool = True
    soft_cap: float = 0.0
    """Of the logits; 0 stands for none."""

    theta: float = 1e6
    sliding_theta: float = 1e4
    rotary_share: float = 0.25
    epsilon: float = 1e-6
    gelu: Callable[[Array], Array] = gelu_tanh

    @property
    def layers(self) -> int:
        return len(self.is_full)

    def frequencies(self, is_full: bool) -> Array:
        """One for each pair of dimensions; those of a full layer beyond its share stand still."""
        if not is_full:
            return _frequencies(self.sliding_theta, self.head_dim)
        turning = int(self.rotary_share * self.global_head_dim // 2)
        frequencies = _frequencies(self.theta, self.global_head_dim)
        frequencies[turning:] = 0
        return frequencies


def _frequencies(theta: float, head_dim: int) -> Array:
    frequencies: Array = theta ** (-np.arange(0, head_dim, 2) / head_dim)
    return frequencies


class Gemma4Layer:
    """One layer, from weights named as in a checkpoint."""

    def __init__(self, weights: Mapping[str, Array], prefix: str, shape: Gemma4Shape, *, is_full: bool) -> None:
        self._weights = weights
        self._prefix = prefix
        self._shape = shape
        self._shares_values = shape.k_eq_v and is_full
        self._head_dim = shape.global_head_dim if is_full else shape.head_dim
        self._frequencies = shape.frequencies(is_full)

    def norm(self, x: Array, name: str) -> Array:
        return rms_norm(x, self._weight(name), self._shape.epsilon)

    def query(self, x: Array, positions: NDArray[np.int64]) -> Array:
        q = self.norm(self._heads(x, "self_attn.q_proj"), "self_attn.q_norm")
        return rotate(q, positions, self._frequencies)

    def key(self, x: Array, positions: NDArray[np.int64]) -> Array:
        k = self.norm(self._heads(x, "self_attn.k_proj"), "self_attn.k_norm")
        return rotate(k, positions, self._frequencies)

    def value(self, x: Array) -> Array:
        v = self._heads(x, "self_attn.k_proj" if self._shares_values else "self_attn.v_proj")
        return rms_norm(v, np.ones(self._head_dim), self._shape.epsilon)

    def finish(self, x: Array, q: Array, k: Array, v: Array, allowed: NDArray[np.bool_]) -> Array:
        """The layer's output, from its input and what attention needs."""
        attended = attend(q, k, v, allowed, scale=1.0).transpose(1, 0, 2)  # (rows, heads, head_dim)
        attended = attended.reshape(len(x), -1) @ self._weight("self_attn.o_proj").T
        x = x + self.norm(attended, "post_attention_layernorm")
        fed = self._feed_forward(self.norm(x, "pre_feedforward_layernorm"))
        x = x + self.norm(fed, "post_feedforward_layernorm")
        return x * self._weights[f"{self._prefix}layer_scalar"]

    def _feed_forward(self, x: Array) -> Array:
        gate = self._shape.gelu(x @ self._weight("mlp.gate_proj").T)
        return (gate * (x @ self._weight("mlp.up_proj").T)) @ self._weight("mlp.down_proj").T

    def _heads(self, x: Array, name: str) -> Array:
        projected = x @ self._weight(name).T
        return projected.reshape(len(x), -1, self._head_dim).transpose(1, 0, 2)  # (heads, rows, head_dim)

    def _weight(self, name: str) -> Array:
        return self._weights[f"{self._prefix}{name}.weight"]


def gemma4_forward(
    weights: Mapping[str, Array], shape: Gemma4Shape, tokens: Sequence[int], *, prefix: str = "model."
) -> tuple[Array, list[Array]]:
    """Logits (rows, vocab), and the input of every layer, followed by the output of the last."""
    positions = np.arange(len(tokens))
    distance = positions[:, None] - positions[None, :]
    embeddings = weights[f"{prefix}embed_tokens.weight"]
    x = embeddings[list(tokens)] * np.sqrt(shape.hidden)  # (rows, hidden)
    inputs = [x]
    for index, is_full in enumerate(shape.is_full):
        layer = Gemma4Layer(weights, f"{prefix}layers.{index}.", shape, is_full=is_full)
        allowed = (distance >= 0) & (is_full | (distance < shape.window))
        y = layer.norm(x, "input_layernorm")
        x = layer.finish(x, layer.query(y, positions), layer.key(y, positions), layer.value(y), allowed)
        inputs.append(x)
    head = weights.get("lm_head.weight", embeddings)
    logits = rms_norm(x, weights[f"{prefix}norm.weight"], shape.epsilon) @ head.T
    return soft_cap(logits, shape.soft_cap), inputs
