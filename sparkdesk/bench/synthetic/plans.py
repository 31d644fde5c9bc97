"""A synthetic target and its draft as planned GGUF files: header, vocabulary and tensors."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters import names
from converters.names import Entry, f32, flag, i32_list, text, text_list, u32
from converters.output_types import output_type_named
from converters.plan import FilePlan, PlannedTensor
from converters.safetensors import StoredTensor
from sparkdesk.bench.synthetic import weights
from sparkdesk.bench.synthetic.shape import SyntheticShape
from sparkdesk.bench.synthetic.weights import Chain

_CONTEXT_TOKENS = 32768
_CONTROL, _NORMAL = 3, 1


def target_plan(shape: SyntheticShape, chain: Chain, *, random: np.random.Generator) -> FilePlan:
    embeddings, head = weights.target_outer(shape, chain, random=random)
    entries = (
        text(names.NAME, "Synthetic target"),
        *_shape_entries(shape, names.QWEN3, layers=shape.layers),
        *_vocabulary_entries(shape),
    )
    tensors = (
        _planned(names.TOKEN_EMBEDDINGS, embeddings),
        _planned(names.OUTPUT_NORM, np.ones(shape.hidden, np.float32)),
        _planned(names.OUTPUT_HEAD, head),
        *_layers(shape, shape.layers, random=random),
    )
    return FilePlan(names.QWEN3, entries, tensors)


def draft_plan(shape: SyntheticShape, chain: Chain, *, random: np.random.Generator) -> FilePlan:
    entries = (
        text(names.NAME, "Synthetic DSpark draft"),
        *_shape_entries(shape, names.DFLASH, layers=shape.draft_layers),
        *_vocabulary_entries(shape),
        u32(names.MASK_ID, weights.MASK_TOKEN),
        u32(names.BLOCK_SIZE, shape.block_size),
        # A layer's output is the input of the layer after it, and inputs are what llama.cpp counts.
        i32_list(names.TARGET_LAYERS, [layer + 1 for layer in shape.tapped_layers]),
        flag(names.SAMPLE_FROM_ANCHOR, True),
        flag(names.HAS_CONFIDENCE_HEAD, True),
    )
    return FilePlan(names.DFLASH, entries, tuple(_draft_tensors(shape, chain, random=random)))


def _draft_tensors(shape: SyntheticShape, chain: Chain, *, random: np.random.Generator) -> Iterator[PlannedTensor]:
    w1, w2 = weights.markov_head(shape, chain, random=random)
    yield _planned(names.FEATURE_PROJECTION, weights.feature_projection(shape, random))
    yield _planned(names.FEATURE_NORM, np.ones(shape.hidden, np.float32))
    # Mutes the backbone's own logits, so that the Markov head alone decides.
    yield _planned(names.OUTPUT_NORM, np.full(shape.hidden, 1e-3, np.float32))
    yield _planned(names.MARKOV_W1, w1)
    yield _planned(names.MARKOV_W2, w2)
    yield _planned(names.CONFIDENCE_WEIGHT, weights.confidence_head(shape))
    yield _planned(names.CONFIDENCE_BIAS, np.zeros(1, np.float32))
    yield from _layers(shape, shape.draft_layers, random=random)


def _layers(shape: SyntheticShape, count: int, *, random: np.random.Generator) -> Iterator[PlannedTensor]:
    for layer in range(count):
        for name, matrix in weights.layer_matrices(shape, random):
            yield _planned(names.layer_tensor(layer, name), matrix)
        for name, norm in weights.layer_norms(shape):
            yield _planned(names.layer_tensor(layer, name), norm)


def _planned(name: str, values: NDArray[Any]) -> PlannedTensor:
    encoding = "F16" if values.dtype == np.float16 else "F32"
    return PlannedTensor(name, StoredTensor(name, encoding, values), encoding)


def _shape_entries(shape: SyntheticShape, architecture: str, *, layers: int) -> Iterator[Entry]:
    for template, value in (
        (names.BLOCK_COUNT, layers),
        (names.CONTEXT_LENGTH, _CONTEXT_TOKENS),
        (names.EMBEDDING_LENGTH, shape.hidden),
        (names.FEED_FORWARD_LENGTH, shape.feed_forward),
        (names.HEAD_COUNT, shape.heads),
        (names.HEAD_COUNT_KV, shape.kv_heads),
        (names.KEY_LENGTH, shape.head_dim),
        (names.VALUE_LENGTH, shape.head_dim),
    ):
        yield u32(names.key(template, architecture), value)
    yield f32(names.key(names.RMS_EPSILON, architecture), 1e-6)
    yield f32(names.key(names.ROPE_FREQ_BASE, architecture), 1e6)
    yield u32(names.FILE_TYPE, output_type_named("F16").file_type)


def _vocabulary_entries(shape: SyntheticShape) -> tuple[Entry, ...]:
    tokens = [*weights.SPECIAL_TOKENS, *_byte_tokens()]
    tokens += [f"tok{i}" for i in range(shape.vocabulary - len(tokens))]
    special = len(weights.SPECIAL_TOKENS)
    return (
        text(names.TOKENIZER_MODEL, "gpt2"),
        text(names.TOKENIZER_PRE, "qwen2"),
        text_list(names.TOKENS, tokens),
        i32_list(names.TOKEN_TYPES, [_CONTROL] * special + [_NORMAL] * (shape.vocabulary - special)),
        text_list(names.MERGES, ["Ġ Ġ"]),
        u32(names.BOS_ID, weights.BOS_TOKEN),
        u32(names.EOS_ID, weights.EOS_TOKEN),
        flag(names.ADD_BOS, False),
    )


def _byte_tokens() -> Iterator[str]:
    """The 256 printable stand-ins of GPT-2's byte-level BPE, in byte order."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    stand_in = 256
    for byte in range(256):
        yield chr(byte) if byte in printable else chr(stand_in)
        stand_in += byte not in printable
