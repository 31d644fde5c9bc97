"""One layer that drafts token by token from (token, hidden state) pairs: EAGLE-3, and Qwen3.5's MTP layer, in float64.

Independent of llama.cpp: written from the models' equations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.reference.numerics import Array, rms_norm, rotate, sigmoid, silu, softmax

EPSILON = 1e-6
THETA = 1e6


@dataclass(slots=True)
class Attention:
    """Keys and values of the positions so far."""

    heads: int
    head_dim: int
    keys: list[Array] = field(default_factory=list)
    values: list[Array] = field(default_factory=list)

    def step(self, q: Array, k: Array, v: Array, *, rotated: int | None = None) -> Array:
        """q (heads, head_dim), k and v (kv_heads, head_dim) of the next position; returns (heads * head_dim,)."""
        position = np.array([len(self.keys)])
        q, k = (_turned(x, position, rotated or self.head_dim) for x in (q, k))
        self.keys.append(k)
        self.values.append(v)
        keys, values = np.stack(self.keys), np.stack(self.values)  # (positions, kv_heads, head_dim)
        groups = self.heads // k.shape[0]
        out = []
        for head in range(self.heads):
            scores = keys[:, head // groups] @ q[head] * self.head_dim**-0.5
            out.append(softmax(scores) @ values[:, head // groups])
        return np.concatenate(out)


def eagle3_logits(
    weights: Mapping[str, Any],
    embeddings: Any,
    features: Any,
    following: Sequence[int],
    chain: Sequence[int],
    *,
    heads: int,
    kv_heads: int,
    head_dim: int,
    norm_before_residual: bool = False,
    norm_before_fc: bool = False,
) -> list[Array]:
    """Logits after the pairs of `features` (n, 3 * width) and `following` (n,) tokens, then after each of `chain`."""
    w = {name: np.asarray(value, np.float64) for name, value in weights.items()}
    x = np.asarray(features, np.float64)
    fused = (rms_norm(x, w["fc_norm"], EPSILON) if norm_before_fc else x) @ w["fc"].T
    attention = Attention(heads, head_dim)

    def step(token: int, hidden: Array) -> tuple[Array, Array]:
        embedded = rms_norm(np.asarray(embeddings[token], np.float64), w["in_norm"], EPSILON)
        normed = rms_norm(hidden, w["h_norm"], EPSILON)
        both = np.concatenate([embedded, normed])
        q, k, v = ((w[name] @ both).reshape(-1, head_dim) for name in ("q", "k", "v"))
        assert k.shape[0] == kv_heads
        if "q_norm" in w:  # DeepSpec's
            q, k = rms_norm(q, w["q_norm"], EPSILON), rms_norm(k, w["k_norm"], EPSILON)
        middle = (normed if norm_before_residual else hidden) + w["o"] @ attention.step(q, k, v)
        inner = rms_norm(middle, w["ffn_norm"], EPSILON)
        out = middle + w["down"] @ (silu(w["gate"] @ inner) * (w["up"] @ inner))
        return out, w["head"] @ rms_norm(out, w["out_norm"], EPSILON)

    return _chained(step, list(zip(following, fused, strict=True)), chain)


def mtp_logits(
    weights: Mapping[str, Any],
    embeddings: Any,
    head: Any,
    tokens: Sequence[int],
    hidden: Any,
    chain: Sequence[int],
    *,
    heads: int,
    kv_heads: int,
    head_dim: int,
    rotated: int,
) -> list[Array]:
    """Logits after the pairs of `tokens` (n,) and the hidden states (n, width) before each, then after `chain`."""
    w = {name.removesuffix(".weight"): np.asarray(value, np.float64) for name, value in weights.items()}
    attention = Attention(heads, head_dim)

    def step(token: int, before: Array) -> tuple[Array, Array]:
        embedded = rms_norm(np.asarray(embeddings[token], np.float64), w["nextn.enorm"], EPSILON)
        x = w["nextn.eh_proj"] @ np.concatenate([embedded, rms_norm(before, w["nextn.hnorm"], EPSILON)])
        normed = rms_norm(x, w["attn_norm"], EPSILON)
        gated = (w["attn_q"] @ normed).reshape(heads, 2, head_dim)
        q = rms_norm(gated[:, 0], w["attn_q_norm"], EPSILON)
        k = rms_norm((w["attn_k"] @ normed).reshape(kv_heads, head_dim), w["attn_k_norm"], EPSILON)
        v = (w["attn_v"] @ normed).reshape(kv_heads, head_dim)
        attended = attention.step(q, k, v, rotated=rotated) * sigmoid(gated[:, 1].reshape(-1))
        x = x + w["attn_output"] @ attended
        inner = rms_norm(x, w["post_attention_norm"], EPSILON)
        x = x + w["ffn_down"] @ (silu(w["ffn_gate"] @ inner) * (w["ffn_up"] @ inner))
        out = rms_norm(x, w["nextn.shared_head_norm"], EPSILON)
        return out, np.asarray(head, np.float64) @ out

    return _chained(step, list(zip(tokens, np.asarray(hidden, np.float64), strict=True)), chain)


def _chained(step: Any, pairs: Sequence[tuple[int, Array]], chain: Sequence[int]) -> list[Array]:
    state, logits = np.zeros(0), np.zeros(0)
    for token, hidden in pairs:
        state, logits = step(token, hidden)
    found = [logits]
    for token in chain:
        state, logits = step(token, state)
        found.append(logits)
    return found


def _turned(x: Array, position: Any, rotated: int) -> Array:
    """The first `rotated` dimensions of (heads, head_dim) turned, the rest as it is."""
    frequencies = THETA ** (-np.arange(0, rotated, 2) / rotated)
    turned = rotate(x[:, None, :rotated], position, frequencies)[:, 0]
    return np.concatenate([turned, x[:, rotated:]], axis=-1)
