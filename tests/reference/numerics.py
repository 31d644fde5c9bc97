"""The few equations both models are made of, in float64."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def rms_norm(x: Array, weight: Array, epsilon: float) -> Array:
    scale: Array = np.sqrt((x * x).mean(-1, keepdims=True) + epsilon)
    return x / scale * weight


def silu(x: Array) -> Array:
    return x * sigmoid(x)


def gelu_tanh(x: Array) -> Array:
    """The approximation that Gemma is trained with."""
    activated: Array = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return activated


def gelu_from_table(x: Array) -> Array:
    """The same as ggml computes it on a CPU: looked up in a table of half floats, an error of some 3e-4."""
    looked_up = gelu_tanh(x.astype(np.float16).astype(np.float64)).astype(np.float16)
    activated: Array = np.where(np.abs(x) < 10, looked_up, np.maximum(x, 0))
    return activated


def soft_cap(x: Array, cap: float) -> Array:
    """Squeezed between -cap and cap; 0 stands for no cap."""
    capped: Array = cap * np.tanh(x / cap) if cap else x
    return capped


def sigmoid(x: Array) -> Array:
    probability: Array = 1 / (1 + np.exp(-x))
    return probability


def softmax(x: Array) -> Array:
    e: Array = np.exp(x - x.max(-1, keepdims=True))
    total: Array = e.sum(-1, keepdims=True)
    return e / total


def rotate(x: Array, positions: NDArray[np.int64], frequencies: Array, magnitude: float = 1.0) -> Array:
    """Rotary positions; dimension i turns with dimension i + half. x: (heads, rows, head_dim)"""
    half = x.shape[-1] // 2
    angles = positions[:, None] * frequencies  # (rows, half)
    cos, sin = magnitude * np.cos(angles), magnitude * np.sin(angles)
    first, second = x[..., :half], x[..., half:]
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def attend(q: Array, k: Array, v: Array, allowed: NDArray[np.bool_], *, scale: float | None = None) -> Array:
    """q: (heads, rows, head_dim); k, v: (kv_heads, keys, head_dim); allowed: (rows, keys)"""
    scale = 1 / np.sqrt(q.shape[-1]) if scale is None else scale
    groups = q.shape[0] // k.shape[0]
    k, v = k.repeat(groups, axis=0), v.repeat(groups, axis=0)
    scores = np.where(allowed, scale * (q @ k.transpose(0, 2, 1)), -np.inf)  # (heads, rows, keys)
    return softmax(scores) @ v


def relative_error(found: NDArray[np.floating], expected: Array) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
