"""One DSpark or DFlash draft block over a Qwen3 backbone, from its equations.

The context reaches the draft only as keys and values: the target's hidden states, concatenated over the
chosen layers, projected and normed, stand in for each draft layer's own input. The block [anchor, mask, ...]
sees all of the context and all of itself. A Markov head then adds to each position's logits a bias that
depends on the token chosen before it, and the confidence head reads the position and that token. DFlash has neither
head. In some drafts the anchor's own row predicts nothing, and in some only part of the vocabulary can be proposed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.reference.numerics import Array, attend, rms_norm, sigmoid
from tests.reference.qwen3 import Layer, Shape


@dataclass(frozen=True, slots=True)
class Block:
    logits: Array  # (predictions, vocab), Markov bias of the greedy chain included; -inf for what cannot be proposed
    confidences: Array  # (predictions,), empty without such a head
    tokens: list[int]


def gather_features(layer_inputs: Sequence[Array], target_layer_ids: Sequence[int]) -> Array:
    """The OUTPUT of each chosen layer, which is what enters the layer after it. (rows, layers * hidden)

    -1 stands for the embeddings, which enter layer 0.
    """
    return np.concatenate([layer_inputs[layer + 1] for layer in target_layer_ids], axis=1)


def draft_block(
    weights: Mapping[str, Array],
    shape: Shape,
    features: Array,
    *,
    anchor: int,
    mask: int,
    length: int,
    from_anchor: bool = True,
) -> Block:
    """`length` rows, of which the first predicts nothing unless `from_anchor`."""
    context = rms_norm(features @ weights["fc.weight"].T, weights["hidden_norm.weight"], shape.epsilon)
    before = np.arange(len(context))
    positions = len(context) + np.arange(length)
    everything = np.ones((length, len(context) + length), bool)
    x = weights["embed_tokens.weight"][[anchor] + [mask] * (length - 1)]  # (block, hidden)
    for index in range(shape.layers):
        layer = Layer(weights, f"layers.{index}.", shape)
        y = layer.norm(x, "input_layernorm")
        keys = np.concatenate([layer.key(context, before), layer.key(y, positions)], axis=1)
        values = np.concatenate([layer.value(context), layer.value(y)], axis=1)
        x = x + layer.output(attend(layer.query(y, positions), keys, values, everything))
        x = x + layer.feed_forward(layer.norm(x, "post_attention_layernorm"))
    x = rms_norm(x, weights["norm.weight"], shape.epsilon)
    hidden = x if from_anchor else x[1:]
    return greedy_chain(weights, hidden, hidden @ weights["lm_head.weight"].T, anchor, vocab=shape.vocab)


def greedy_chain(
    weights: Mapping[str, Array], hidden: Array, base_logits: Array, anchor: int, *, vocab: int | None = None
) -> Block:
    """A block from what the backbone made of it: hidden (block, hidden), base_logits (block, draft vocab)."""
    logits, confidences, tokens = [], [], []
    previous = anchor
    for row, base in zip(hidden, base_logits, strict=True):
        proposed, seen = base, row  # what the confidence head reads
        if "markov_head.markov_w1.weight" in weights:
            state = weights["markov_head.markov_w1.weight"][previous]
            proposed = base + weights["markov_head.markov_w2.weight"] @ state
            seen = np.concatenate([row, state])
        logits.append(_in_whole_vocabulary(weights, proposed, vocab or len(proposed)))
        if "confidence_head.proj.weight" in weights:
            reader = weights["confidence_head.proj.weight"][0]
            confidences.append(sigmoid(reader @ seen[: len(reader)] + weights["confidence_head.proj.bias"][0]))
        previous = int(logits[-1].argmax())
        tokens.append(previous)
    return Block(np.array(logits), np.array(confidences), tokens)


def _in_whole_vocabulary(weights: Mapping[str, Array], proposed: Array, vocab: int) -> Array:
    if "d2t" not in weights:
        return proposed
    whole = np.full(vocab, -np.inf)
    whole[np.arange(len(proposed)) + weights["d2t"].astype(int)] = proposed
    return whole
