"""The weights of a synthetic pair: real shapes, so every step costs what a real model's step costs, and known text.

Target: every layer adds almost nothing to the residual stream, and the output head is a permuted copy of the
embeddings, so the greedy successor of a token is its neighbour in one long cycle that never meets the end of text.
Draft: its Markov head alone knows the cycle; for a chosen share of tokens it points at a wrong row, so there the draft
is wrong. The last Markov dimension is a noisy logit of "this one is right", which the confidence head reads.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparkdesk.bench.synthetic.shape import FIRST_CHAIN_TOKEN, SPECIAL_TOKENS, SyntheticShape

__all__ = ["FIRST_CHAIN_TOKEN", "SPECIAL_TOKENS", "Chain", "SyntheticShape"]

F16Array = NDArray[np.float16]
F32Array = NDArray[np.float32]

BOS_TOKEN, EOS_TOKEN, MASK_TOKEN = 0, 2, 3
_QUIET_STD = 1e-4  # what leaves a layer is negligible beside the embedding
_RIGHT_LOGIT = 2.0  # sigmoid: 0.88, and 0.12 where the draft is wrong


@dataclass(frozen=True, slots=True)
class Chain:
    """The order in which tokens follow one another, and where the draft knows it."""

    cycle: NDArray[np.int64]  # (chain,) token ids in order
    predecessor: NDArray[np.int64]  # (vocabulary,) meaningful for tokens of the cycle
    is_drafted_right: NDArray[np.bool_]  # (vocabulary,) by the token BEFORE the drafted one

    def following(self, token: int, count: int) -> tuple[int, ...]:
        """What the target says greedily after `token`."""
        start = int(np.flatnonzero(self.cycle == token)[0]) + 1
        return tuple(int(found) for found in np.take(self.cycle, range(start, start + count), mode="wrap"))


def make_chain(shape: SyntheticShape, random: np.random.Generator) -> Chain:
    cycle = random.permutation(np.arange(FIRST_CHAIN_TOKEN, shape.vocabulary))
    predecessor = np.zeros(shape.vocabulary, np.int64)
    predecessor[cycle] = np.roll(cycle, 1)
    phase_of_step = (np.arange(len(cycle)) // shape.phase_length) % len(shape.phases)
    is_right = np.ones(shape.vocabulary, np.bool_)
    is_right[cycle] = random.random(len(cycle)) < np.asarray(shape.phases)[phase_of_step]
    return Chain(cycle, predecessor, is_right)


def target_outer(shape: SyntheticShape, chain: Chain, *, random: np.random.Generator) -> tuple[F16Array, F16Array]:
    """Embeddings and output head, each (vocabulary, hidden)."""
    embeddings = _normal(random, shape.vocabulary, shape.hidden, std=1.0)
    head = _normal(random, shape.vocabulary, shape.hidden, std=0.02)
    head[chain.cycle] = embeddings[chain.predecessor[chain.cycle]] * 0.5
    head[:FIRST_CHAIN_TOKEN] = 0
    return embeddings.astype(np.float16), head.astype(np.float16)


def layer_matrices(shape: SyntheticShape, random: np.random.Generator) -> Iterator[tuple[str, F16Array]]:
    """One layer's matrices under their GGUF names."""
    loud = float(shape.hidden**-0.5)
    query, key_value = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    for name, rows, columns, std in (
        ("attn_q", query, shape.hidden, loud),
        ("attn_k", key_value, shape.hidden, loud),
        ("attn_v", key_value, shape.hidden, loud),
        ("attn_output", shape.hidden, query, _QUIET_STD),
        ("ffn_gate", shape.feed_forward, shape.hidden, loud),
        ("ffn_up", shape.feed_forward, shape.hidden, loud),
        ("ffn_down", shape.hidden, shape.feed_forward, _QUIET_STD),
    ):
        yield name, _normal(random, rows, columns, std=std).astype(np.float16)


def layer_norms(shape: SyntheticShape) -> Iterator[tuple[str, F32Array]]:
    for name in ("attn_norm", "ffn_norm"):
        yield name, np.ones(shape.hidden, np.float32)
    for name in ("attn_q_norm", "attn_k_norm"):
        yield name, np.ones(shape.head_dim, np.float32)


def feature_projection(shape: SyntheticShape, random: np.random.Generator) -> F16Array:
    """(hidden, tapped layers * hidden)"""
    width = len(shape.tapped_layers) * shape.hidden
    return _normal(random, shape.hidden, width, std=float(width**-0.5)).astype(np.float16)


def markov_head(shape: SyntheticShape, chain: Chain, *, random: np.random.Generator) -> tuple[F16Array, F16Array]:
    """W1 and W2, each (vocabulary, rank): the bias of token b after token a is W2[b] . W1[a]."""
    w1 = _normal(random, shape.vocabulary, shape.markov_rank, std=1.0)
    w1[:, -1] = 0
    w2 = np.zeros_like(w1)
    w2[chain.cycle] = w1[chain.predecessor[chain.cycle]]
    wrong = np.flatnonzero(~chain.is_drafted_right)
    w1[wrong] = w1[random.permutation(shape.vocabulary)[: len(wrong)]]
    noise = _normal(random, shape.vocabulary, std=shape.confidence_noise)
    w1[:, -1] = np.where(chain.is_drafted_right, _RIGHT_LOGIT, -_RIGHT_LOGIT) + noise + shape.confidence_shift
    return w1.astype(np.float16), w2.astype(np.float16)


def confidence_head(shape: SyntheticShape) -> F32Array:
    """(1, hidden + rank): reads the last Markov dimension only."""
    weight = np.zeros((1, shape.hidden + shape.markov_rank), np.float32)
    weight[0, -1] = 1.0
    return weight


def _normal(random: np.random.Generator, *shape: int, std: float) -> F32Array:
    return random.standard_normal(shape, dtype=np.float32) * np.float32(std)
