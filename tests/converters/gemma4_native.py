"""A Gemma 4 pair from checkpoints to a block: converted and run by llama.cpp, and computed by the reference."""

import ctypes
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from llama_cpp import llama_cpp as c
from numpy.typing import NDArray

from converters import convert_draft, convert_target
from tests.converters.checkpoints import Made
from tests.converters.gemma4_checkpoints import (
    GEMMA4_BLOCK,
    GEMMA4_DRAFT_SHAPE,
    GEMMA4_MASK,
    GEMMA4_SHAPE,
    GEMMA4_TARGET_LAYER_IDS,
)
from tests.converters.native import loaded, running_pair
from tests.reference.dspark import Block, gather_features
from tests.reference.gemma4 import Gemma4Shape, gemma4_forward
from tests.reference.gemma4_dspark import BackboneRows, capped_chain, gemma4_backbone
from tests.reference.numerics import gelu_from_table

TOKENS = [(7 * position * position + 3) % 400 + 90 for position in range(40)]  # more than two windows
ANCHOR = 42
# ggml looks the activation up in a table of half floats; with the exact one that would be the largest error by far.
SHAPE = replace(GEMMA4_SHAPE, gelu=gelu_from_table)
DRAFT_SHAPE = replace(GEMMA4_DRAFT_SHAPE, gelu=gelu_from_table)


def convert_pair(folder: Path, target: Made, draft: Made, output_type: str = "F32") -> tuple[Path, Path]:
    target_path, draft_path = folder / "target.gguf", folder / "draft.gguf"
    list(convert_target(target.folder, target_path, output_type=output_type))
    list(convert_draft(draft.folder, draft_path, target=target_path, output_type=output_type))
    return target_path, draft_path


def expected_rows(target: Made, draft: Made, shape: Gemma4Shape = DRAFT_SHAPE) -> BackboneRows:
    _, inputs = gemma4_forward(target.weights, SHAPE, TOKENS)
    features = gather_features(inputs, GEMMA4_TARGET_LAYER_IDS)
    return gemma4_backbone(draft.weights, shape, features, anchor=ANCHOR, mask=GEMMA4_MASK, length=GEMMA4_BLOCK)


def expected_uncapped(target: Made, draft: Made, shape: Gemma4Shape = DRAFT_SHAPE) -> Block:
    """What llama.cpp's graph computes."""
    return capped_chain(draft.weights, expected_rows(target, draft, shape), ANCHOR, cap=0)


def native_block(target_path: Path, draft_path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    with running_pair(target_path, draft_path) as (target, draft):
        draft.absorb(target.run(TOKENS, draft.layers).features)
        return draft.propose(ANCHOR, len(TOKENS), GEMMA4_BLOCK)


def end_tokens(path: Path) -> set[int]:
    """The tokens at which llama.cpp ends a reply."""
    with loaded(path) as model:
        vocab = c.llama_model_get_vocab(model)
        return {token for token in range(c.llama_vocab_n_tokens(vocab)) if c.llama_vocab_is_eog(vocab, token)}


def text_of(path: Path, tokens: Sequence[int]) -> str:
    """What the user reads: pieces without special tokens."""
    with loaded(path) as model:
        vocab = c.llama_model_get_vocab(model)
        buffer = ctypes.create_string_buffer(256)
        pieces = []
        for token in tokens:
            length = c.llama_token_to_piece(vocab, token, buffer, len(buffer), 0, False)
            pieces.append(buffer.raw[:length])
        return b"".join(pieces).decode()
