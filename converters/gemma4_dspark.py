"""Gemma 4 drafts (`Gemma4DSparkModel`): DeepSpec's heads over Gemma's layers, all of them full."""

import math
from collections.abc import Iterator
from dataclasses import replace

from converters import names
from converters.checkpoint import Checkpoint
from converters.config import Config
from converters.draft_config import read_draft_config
from converters.dspark import Backbone, check_pair, plan_over
from converters.errors import UnsupportedModel
from converters.gemma4_shape import Gemma4Shape, layer_tensors, read_shape, rope_frequencies
from converters.names import Entry, f32, text, u32
from converters.plan import FilePlan, PlannedTensor
from converters.target import Target

_NOT_GEMMAS = "Only DeepSpec's drafts for dense Gemma 4 models can be converted."


def plan_draft(checkpoint: Checkpoint, target: Target, *, encoding: str) -> FilePlan:
    config = read_draft_config(checkpoint.config)
    check_pair(config, target)
    shape = read_shape(config.backbone)
    _refuse_variants(shape)
    source = replace(checkpoint, config=config.backbone)
    backbone = Backbone(_shape_entries(config.backbone, shape), _tensors(source, shape, encoding))
    return plan_over(backbone, checkpoint, target, config, encoding=encoding)


def _refuse_variants(shape: Gemma4Shape) -> None:
    if not all(shape.is_full):
        raise UnsupportedModel("The draft has sliding layers, and a Gemma 4 draft has full ones only.", _NOT_GEMMAS)
    if shape.full.has_values:
        # llama.cpp norms a draft's values only where they are its keys.
        raise UnsupportedModel(
            "The draft has attention_k_eq_v off, which llama.cpp would compute wrongly.", _NOT_GEMMAS
        )


def _shape_entries(config: Config, shape: Gemma4Shape) -> tuple[Entry, ...]:
    counts = (
        (names.BLOCK_COUNT, len(shape.is_full)),
        (names.CONTEXT_LENGTH, config.count("max_position_embeddings")),
        (names.EMBEDDING_LENGTH, config.count("hidden_size")),
        (names.FEED_FORWARD_LENGTH, config.count("intermediate_size")),
        (names.HEAD_COUNT, config.count("num_attention_heads")),
        (names.HEAD_COUNT_KV, shape.full.kv_heads),
        (names.KEY_LENGTH, shape.full.head_dim),
        (names.VALUE_LENGTH, shape.full.head_dim),
        (names.ROPE_DIMENSION_COUNT, shape.full.head_dim),
    )
    numbers = (
        (names.RMS_EPSILON, config.number("rms_norm_eps", 1e-6)),
        (names.ROPE_FREQ_BASE, shape.full_rope.theta),
        # llama.cpp's graph does not cap a draft's logits; who runs it finds here that they must be.
        (names.FINAL_LOGIT_SOFTCAPPING, shape.soft_cap),
        (names.EMBEDDING_SCALE, math.sqrt(config.count("hidden_size"))),
        (names.ATTENTION_SCALE, 1.0),
    )
    return (
        *(u32(names.key(template, names.DFLASH), count) for template, count in counts),
        *(f32(names.key(template, names.DFLASH), number) for template, number in numbers),
        text(names.HIDDEN_ACTIVATION, "gelu_pytorch_tanh"),
    )


def _tensors(source: Checkpoint, shape: Gemma4Shape, encoding: str) -> Iterator[PlannedTensor]:
    yield from layer_tensors(source, shape, encoding, prefix="")
    yield rope_frequencies(shape)
