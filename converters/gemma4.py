"""Gemma 4 targets: the dense text models, alone or out of a multimodal checkpoint."""

from collections.abc import Iterator

from converters import names
from converters.chat_template import chat_template_entries
from converters.checkpoint import Checkpoint
from converters.config import Config
from converters.errors import UnsupportedModel
from converters.gemma4_shape import Gemma4Shape, layer_tensors, left_out, read_shape, rope_frequencies, text_checkpoint
from converters.names import Entry, f32, flag_list, i32_list, u32
from converters.origin import origin_entries
from converters.plan import FilePlan, PlannedTensor, exact, matrix
from converters.qwen3 import is_tied
from converters.vocab import read_vocabulary


def plan_target(checkpoint: Checkpoint, *, encoding: str) -> FilePlan:
    text = text_checkpoint(checkpoint)
    shape = read_shape(text.config)
    if all(shape.is_full):
        raise UnsupportedModel("config.json has no sliding layer; llama.cpp ends the whole process at such a Gemma 4.")
    vocabulary = read_vocabulary(text.folder, text.config)
    entries = (
        *origin_entries(text),
        *_shape_entries(text.config, shape),
        *vocabulary.entries(),
        *chat_template_entries(text.folder),
    )
    tensors = (
        *_outer_tensors(text, encoding),
        *layer_tensors(text, shape, encoding, prefix="model."),
        rope_frequencies(shape),
    )
    text.refuse_others({tensor.source.name for tensor in tensors} | {"lm_head.weight"})
    notice = f"{left_out(checkpoint)} {vocabulary.notice}".strip()
    return FilePlan(names.GEMMA4, entries, tensors, notice=notice)


def _outer_tensors(text: Checkpoint, encoding: str) -> Iterator[PlannedTensor]:
    vocab, hidden = text.config.count("vocab_size"), text.config.count("hidden_size")
    yield matrix(names.TOKEN_EMBEDDINGS, text.tensor("model.embed_tokens.weight", vocab, hidden), encoding)
    if not is_tied(text):
        yield matrix(names.OUTPUT_HEAD, text.tensor("lm_head.weight", vocab, hidden), encoding)
    yield exact(names.OUTPUT_NORM, text.tensor("model.norm.weight", hidden))


def _shape_entries(config: Config, shape: Gemma4Shape) -> tuple[Entry, ...]:
    layers = range(len(shape.is_full))
    counts = (
        (names.BLOCK_COUNT, len(layers)),
        (names.CONTEXT_LENGTH, config.count("max_position_embeddings")),
        (names.EMBEDDING_LENGTH, config.count("hidden_size")),
        (names.FEED_FORWARD_LENGTH, config.count("intermediate_size")),
        (names.HEAD_COUNT, config.count("num_attention_heads")),
        (names.KEY_LENGTH, shape.full.head_dim),
        (names.VALUE_LENGTH, shape.full.head_dim),
        (names.KEY_LENGTH_SWA, shape.sliding.head_dim),
        (names.VALUE_LENGTH_SWA, shape.sliding.head_dim),
        # All of a full head is handed to the rotation; rope_freqs holds still what must not turn.
        (names.ROPE_DIMENSION_COUNT, shape.full.head_dim),
        (names.ROPE_DIMENSION_COUNT_SWA, shape.sliding.head_dim),
        (names.SLIDING_WINDOW, config.count("sliding_window")),
        (names.SHARED_KV_LAYERS, 0),
        (names.PER_LAYER_EMBEDDING_LENGTH, 0),
    )
    numbers = (
        (names.RMS_EPSILON, config.number("rms_norm_eps", 1e-6)),
        (names.ROPE_FREQ_BASE, shape.full_rope.theta),
        (names.ROPE_FREQ_BASE_SWA, shape.sliding_rope.theta),
        (names.FINAL_LOGIT_SOFTCAPPING, shape.soft_cap),  # without the key llama.cpp takes 30
    )
    return (
        *(u32(names.key(template, names.GEMMA4), count) for template, count in counts),
        *(f32(names.key(template, names.GEMMA4), number) for template, number in numbers),
        i32_list(names.key(names.HEAD_COUNT_KV, names.GEMMA4), [shape.layer(layer).kv_heads for layer in layers]),
        flag_list(names.key(names.SLIDING_WINDOW_PATTERN, names.GEMMA4), [not full for full in shape.is_full]),
    )
