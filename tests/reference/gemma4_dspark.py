"""One DSpark draft block over a Gemma 4 backbone, from its equations.

As in dspark.py, with Gemma's layers, all of them full. The logits are capped BEFORE the Markov head adds its bias;
llama.cpp's graph caps nothing, so both are here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tests.reference.dspark import Block, greedy_chain
from tests.reference.gemma4 import Gemma4Layer, Gemma4Shape
from tests.reference.numerics import Array, rms_norm, soft_cap


@dataclass(frozen=True, slots=True)
class BackboneRows:
    hidden: Array  # (block, hidden), what the confidence head reads
    base_logits: Array  # (block, vocab), neither capped nor biased


def gemma4_backbone(
    weights: Mapping[str, Array], shape: Gemma4Shape, features: Array, *, anchor: int, mask: int, length: int
) -> BackboneRows:
    context = rms_norm(features @ weights["fc.weight"].T, weights["hidden_norm.weight"], shape.epsilon)
    before = np.arange(len(context))
    positions = len(context) + np.arange(length)
    everything = np.ones((length, len(context) + length), bool)
    block = [anchor] + [mask] * (length - 1)
    x = weights["embed_tokens.weight"][block] * np.sqrt(shape.hidden)  # (block, hidden)
    for index in range(shape.layers):
        layer = Gemma4Layer(weights, f"layers.{index}.", shape, is_full=True)
        y = layer.norm(x, "input_layernorm")
        keys = np.concatenate([layer.key(context, before), layer.key(y, positions)], axis=1)
        values = np.concatenate([layer.value(context), layer.value(y)], axis=1)
        x = layer.finish(x, layer.query(y, positions), keys, values, everything)
    x = rms_norm(x, weights["norm.weight"], shape.epsilon)
    return BackboneRows(x, x @ weights["lm_head.weight"].T)


def capped_chain(weights: Mapping[str, Array], rows: BackboneRows, anchor: int, *, cap: float) -> Block:
    """The greedy chain as the draft was trained: cap, then bias. A cap of 0 is what llama.cpp's graph computes."""
    return greedy_chain(weights, rows.hidden, soft_cap(rows.base_logits, cap), anchor)
