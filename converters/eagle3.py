"""EAGLE-3 drafts: one layer over some of the target's, of AngelSlim, SafeAILab, vLLM speculators and DeepSpec.

Differences among them: `midlayer.*` or `layers.0.*`, a flat config or one nested in transformer_layer_config, the layer
ids in one of three places or nowhere. llama.cpp's graph reads three layers and normalizes no queries and keys, and
DeepSpec's drafts read five and do: their features are padded to a width that three divides, and ids and norms go into
keys of our own, which our engine obeys and others do not know. Elsewhere such a file drafts badly.

Source: the EAGLE-3 paper's code, speculators' and DeepSpec's configs, and llama.cpp's eagle3 loader.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters import names
from converters.checkpoint import Checkpoint
from converters.config import Config
from converters.dspark import MAPPINGS, check_related, is_copy, sample_ids, target_ids
from converters.errors import BadCheckpoint, PairMismatch, UnsupportedModel
from converters.names import Entry, f32, f32_list, flag, i32_list, text, u32
from converters.origin import draft_origin_entries
from converters.plan import FilePlan, PlannedTensor, exact, matrix, to_f32
from converters.safetensors import StoredTensor
from converters.target import Target

_LAYERS, _BLOCK = 3, 32
"""As many as llama.cpp's graph reads of the target; a row of features divides into blocks of quantized weights."""
_DEEPSPEC_IDS = "target_layer_ids"
_EMBEDDINGS, _HEAD, _FEATURES_NORM = "embed_tokens.weight", "lm_head.weight", "input_norm.weight"
_NOT_THE_DRAFTS = {"verifier_norm.weight", "verifier_lm_head.weight"}
_IDS = "eagle_aux_hidden_state_layer_ids"
_USUAL_THETA = 10_000.0


@dataclass(frozen=True, slots=True)
class _Source:
    checkpoint: Checkpoint
    layer: Config
    """The fields of its one layer."""
    target: Target

    @property
    def config(self) -> Config:
        return self.checkpoint.config

    @property
    def prefix(self) -> str:
        """Of its layer's tensors."""
        named = any(name.startswith("midlayer.") for name in self.checkpoint.tensors)
        return "midlayer." if named else "layers.0."

    @property
    def hidden(self) -> int:
        return self.layer.count("hidden_size")

    @property
    def heads(self) -> int:
        return self.layer.count("num_attention_heads")

    @property
    def kv_heads(self) -> int:
        return self.layer.count("num_key_value_heads", self.heads)

    @property
    def head_dim(self) -> int:
        return self.layer.count("head_dim", self.hidden // self.heads)

    @property
    def vocab_size(self) -> int:
        return self.layer.count("vocab_size")

    @property
    def draft_vocab_size(self) -> int:
        return self.config.count("draft_vocab_size", self.vocab_size)

    @property
    def is_deepspec(self) -> bool:
        return self.config.has(_DEEPSPEC_IDS)

    @property
    def fed_width(self) -> int:
        """Of each of the three layers that llama.cpp is told of."""
        if not self.is_deepspec:
            return self.target.hidden_size
        third = -(-len(self.target_layers()) * self.target.hidden_size // _LAYERS)
        return -(-third // _BLOCK) * _BLOCK

    def target_layers(self) -> tuple[int, ...]:
        """The layers whose INPUT it reads; the last layer's output counts as one more."""
        if self.is_deepspec:  # which counts outputs
            return tuple(layer + 1 for layer in self.config.indices(_DEEPSPEC_IDS, least=-1))
        for config in (self.config, self.config.section("eagle_config")):
            if config.has(_IDS):
                return config.indices(_IDS, least=0)
        count = self.target.layer_count
        return 2, count // 2, count - 3


def plan_draft(checkpoint: Checkpoint, target: Target, *, encoding: str) -> FilePlan:
    nested = checkpoint.config.has("transformer_layer_config")
    layer = checkpoint.config.section("transformer_layer_config") if nested else checkpoint.config
    source = _Source(checkpoint, layer, target)
    _refuse_variants(source)
    _check_pair(source)
    verifier = checkpoint.config.section("speculators_config").section("verifier").text("name_or_path")
    entries = (
        *draft_origin_entries(checkpoint, target.origin, kind="EAGLE3", trained_for=verifier),
        *_shape_entries(source),
        *_own_entries(source),
        *(entry for entry in target.tokenizer_entries() if entry.key != names.MASK_ID),
    )
    tensors = (
        *_outer_tensors(source, encoding),
        *_shared_tensors(source, encoding),
        *_layer_tensors(source, encoding),
        *_rope_factors(source),
    )
    known = {tensor.source.name for tensor in tensors} | {_EMBEDDINGS, _HEAD, *_NOT_THE_DRAFTS, *MAPPINGS}
    if source.is_deepspec:
        known |= {_norm_name(source, name) for name in ("q_norm", "k_norm")}
    checkpoint.refuse_others(known)
    return FilePlan(names.EAGLE3, entries, tensors)


def _refuse_variants(source: _Source) -> None:
    """What llama.cpp's graph cannot compute, by its name."""
    layer, at = source.layer, source.prefix
    if layer.count("num_hidden_layers", 1) != 1:
        raise UnsupportedModel(f"The draft has {layer.count('num_hidden_layers')} layers; llama.cpp runs one.")
    if source.checkpoint.architecture.startswith("Gemma"):
        raise UnsupportedModel(
            "This is an EAGLE-3 draft over Gemma's layers, which llama.cpp has no graph for.",
            hint="DeepSpec's DSpark draft of the same target can be converted.",
        )
    if not source.is_deepspec and f"{at}self_attn.q_norm.weight" in source.checkpoint.tensors:
        raise UnsupportedModel("The draft normalizes its queries and keys, and is none of DeepSpec's: it is not known.")
    if layer.flag("attention_bias", default=False) or layer.flag("mlp_bias", default=False):
        raise UnsupportedModel("config.json asks for biases, which an EAGLE-3 GGUF cannot hold.")
    if layer.text("hidden_act", "silu") != "silu":
        raise UnsupportedModel(f"config.json asks for the activation {layer.text('hidden_act')}; EAGLE-3 has silu.")
    if source.heads % source.kv_heads:
        raise BadCheckpoint("config.json has num_attention_heads that num_key_value_heads does not divide.")
    if source.config.flag("embed_requires_grad", default=False) and _EMBEDDINGS not in source.checkpoint.tensors:
        raise BadCheckpoint(f"The draft has embeddings of its own, but no tensor {_EMBEDDINGS!r}.")


def _check_pair(source: _Source) -> None:
    """Raises PairMismatch where the draft's config and the target's shape contradict each other."""
    target, hint = source.target, "Pick the target this draft was trained for."
    for what, ours, theirs in (
        ("a vocabulary of {:,} tokens", source.vocab_size, target.vocab_size),
        ("a hidden size of {:,}", source.config.count("target_hidden_size", target.hidden_size), target.hidden_size),
    ):
        if ours != theirs:
            raise PairMismatch(f"The draft expects {what.format(ours)}; the target has {theirs:,}.", hint=hint)
    layers = source.target_layers()
    if len(layers) < _LAYERS or (len(layers) > _LAYERS and not source.is_deepspec):
        raise UnsupportedModel(
            f"The draft reads {len(layers)} layers of its target; llama.cpp runs those of {_LAYERS}."
        )
    wrong = next((layer for layer in layers if not 0 <= layer <= target.layer_count), None)
    if wrong is not None:
        raise PairMismatch(f"The draft reads target layer {wrong}; the target has {target.layer_count}.", hint=hint)


def _shape_entries(source: _Source) -> Iterator[Entry]:
    for template, count in (
        (names.BLOCK_COUNT, 1),
        (names.CONTEXT_LENGTH, source.layer.count("max_position_embeddings", 2048)),
        (names.EMBEDDING_LENGTH, source.hidden),
        (names.FEED_FORWARD_LENGTH, source.layer.count("intermediate_size")),
        (names.HEAD_COUNT, source.heads),
        (names.HEAD_COUNT_KV, source.kv_heads),
        (names.KEY_LENGTH, source.head_dim),
        (names.VALUE_LENGTH, source.head_dim),
        (names.ROPE_DIMENSION_COUNT, source.head_dim),
        (names.VOCAB_SIZE, source.vocab_size),
    ):
        yield u32(names.key(template, names.EAGLE3), count)
    yield f32(names.key(names.RMS_EPSILON, names.EAGLE3), source.layer.number("rms_norm_eps", 1e-6))
    yield from _rope_entries(source)


def _own_entries(source: _Source) -> tuple[Entry, ...]:
    layers = source.target_layers()
    return (
        *(_deepspec_entries(source) if source.is_deepspec else ()),
        i32_list(names.EAGLE3_TARGET_LAYERS, layers[:_LAYERS]),
        u32(names.EAGLE3_TARGET_HIDDEN_SIZE, source.fed_width),
        flag(names.EAGLE3_NORM_BEFORE_RESIDUAL, source.config.flag("norm_before_residual", default=False)),
        flag(names.EAGLE3_NORM_BEFORE_FC, source.config.flag("norm_before_fc", default=False)),
    )


def _deepspec_entries(source: _Source) -> Iterator[Entry]:
    yield i32_list(names.EAGLE3_FEATURE_LAYERS, source.target_layers())
    for key, name in ((names.EAGLE3_Q_NORM, "q_norm"), (names.EAGLE3_K_NORM, "k_norm")):
        stored = source.checkpoint.tensor(_norm_name(source, name), source.head_dim)
        norm = interleaved(to_f32(stored.values, stored.dtype), 1)
        if not np.isfinite(norm).all():
            raise BadCheckpoint(f"Tensor {stored.name!r} holds values that are no numbers.")
        yield f32_list(key, norm.tolist())


def _norm_name(source: _Source, name: str) -> str:
    return f"{source.prefix}self_attn.{name}.weight"


def _rope(source: _Source) -> tuple[Config, str, float]:
    """Its section, its kind, and its base."""
    layer = source.layer
    rope = layer.section("rope_parameters" if layer.has("rope_parameters") else "rope_scaling")
    theta = rope.number("rope_theta") if rope.has("rope_theta") else layer.number("rope_theta", _USUAL_THETA)
    return rope, rope.text("rope_type", rope.text("type", "default")), theta


def _rope_entries(source: _Source) -> Iterator[Entry]:
    rope, kind, theta = _rope(source)
    yield f32(names.key(names.ROPE_FREQ_BASE, names.EAGLE3), theta)
    if kind == "linear":
        yield text(names.key(names.ROPE_SCALING_TYPE, names.EAGLE3), kind)
        yield f32(names.key(names.ROPE_SCALING_FACTOR, names.EAGLE3), rope.number("factor"))
    elif kind not in ("default", "llama3"):
        raise UnsupportedModel(f"config.json asks for rope scaling of type {kind!r}; known are llama3 and linear.")


def _rope_factors(source: _Source) -> Iterator[PlannedTensor]:
    """Llama 3.1's: long waves are stretched by the factor, short ones are left, and between them it goes over."""
    rope, kind, theta = _rope(source)
    if kind != "llama3":
        return
    waves = 2 * pi * theta ** (np.arange(0, source.head_dim, 2) / source.head_dim)  # (head_dim / 2,)
    factor, original = rope.number("factor"), rope.count("original_max_position_embeddings")
    low, high = rope.number("low_freq_factor"), rope.number("high_freq_factor")
    if factor <= 0 or not 0 < low < high:
        raise BadCheckpoint(
            "config.json's rope scaling makes no sense: it needs 0 < low_freq_factor < high_freq_factor."
        )
    smooth = ((original / waves - low) / (high - low)).clip(0.0, 1.0)
    factors = 1.0 / ((1.0 - smooth) / factor + smooth)
    yield exact(names.ROPE_FREQS, StoredTensor(names.ROPE_FREQS, "F32", factors.astype("<f4")))


def _outer_tensors(source: _Source, encoding: str) -> Iterator[PlannedTensor]:
    features = len(source.target_layers()) * source.target.hidden_size
    projection = source.checkpoint.tensor("fc.weight", source.hidden, features)
    missing = _LAYERS * source.fed_width - features
    if missing:
        padded = np.pad(projection.values, ((0, 0), (0, missing)))
        projection = StoredTensor(projection.name, projection.dtype, padded)
    yield matrix(names.FEATURE_PROJECTION, projection, encoding)
    yield exact(names.OUTPUT_NORM, source.checkpoint.tensor("norm.weight", source.hidden))
    if source.config.flag("norm_before_fc", default=False):
        yield exact(names.FEATURE_NORM, source.checkpoint.tensor(_FEATURES_NORM, features))


def _shared_tensors(source: _Source, encoding: str) -> Iterator[PlannedTensor]:
    """Embeddings and head where they are the draft's own: what is missing llama.cpp takes from the target."""
    tensors, hidden, checkpoint = source.checkpoint.tensors, source.hidden, source.checkpoint
    is_reduced = source.draft_vocab_size != source.vocab_size
    is_as_wide = hidden == source.target.hidden_size
    for name in (_EMBEDDINGS, _HEAD):
        if name not in tensors and (not is_as_wide or (is_reduced and name == _HEAD)):
            raise BadCheckpoint(f"The draft needs {name} of its own, and the checkpoint has none.")
    if _EMBEDDINGS in tensors:
        embeddings = checkpoint.tensor(_EMBEDDINGS, source.vocab_size, hidden)
        if not (is_as_wide and _are_the_targets(source, embeddings)):
            yield matrix(names.TOKEN_EMBEDDINGS, embeddings, encoding)
    if _HEAD in tensors:
        head = checkpoint.tensor(_HEAD, source.draft_vocab_size, hidden)
        if is_reduced or not (is_as_wide and _is_the_targets(source, head)):
            yield matrix(names.OUTPUT_HEAD, head, encoding)
    if is_reduced:
        ids = target_ids(checkpoint, draft=source.draft_vocab_size, target=source.vocab_size)
        yield PlannedTensor(names.DRAFT_TO_TARGET, StoredTensor("d2t", "I64", ids), "I64")


def _are_the_targets(source: _Source, embeddings: StoredTensor) -> bool:
    """Raises PairMismatch where they are those of another model altogether."""
    target, ids = source.target, sample_ids(source.vocab_size, [])
    check_related(embeddings, target.embedding_rows, ids=ids)
    return is_copy(embeddings, target.embedding_rows, ids=ids, target_is_exact=target.is_exact)


def _is_the_targets(source: _Source, head: StoredTensor) -> bool:
    ids = sample_ids(source.vocab_size, [])
    return is_copy(head, source.target.head_rows, ids=ids, target_is_exact=source.target.is_exact)


def _layer_tensors(source: _Source, encoding: str) -> Iterator[PlannedTensor]:
    hidden, inner, at = source.hidden, source.layer.count("intermediate_size"), source.prefix
    query, key_value = source.heads * source.head_dim, source.kv_heads * source.head_dim
    for name, part, rows, columns, turned in (
        ("self_attn.q_proj", names.ATTENTION_Q, query, 2 * hidden, source.heads),
        ("self_attn.k_proj", names.ATTENTION_K, key_value, 2 * hidden, source.kv_heads),
        ("self_attn.v_proj", names.ATTENTION_V, key_value, 2 * hidden, 0),
        ("self_attn.o_proj", names.ATTENTION_OUTPUT, hidden, query, 0),
        ("mlp.gate_proj", names.FFN_GATE, inner, hidden, 0),
        ("mlp.up_proj", names.FFN_UP, inner, hidden, 0),
        ("mlp.down_proj", names.FFN_DOWN, hidden, inner, 0),
    ):
        stored = source.checkpoint.tensor(f"{at}{name}.weight", rows, columns)
        if turned:
            stored = StoredTensor(stored.name, stored.dtype, interleaved(stored.values, turned))
        yield matrix(names.layer_tensor(0, part), stored, encoding)
    for name, part in (
        ("input_layernorm", names.ATTENTION_NORM),
        ("hidden_norm", names.ATTENTION_NORM_2),
        ("post_attention_layernorm", names.FFN_NORM),
    ):
        yield exact(names.layer_tensor(0, part), source.checkpoint.tensor(f"{at}{name}.weight", hidden))


def interleaved(weights: NDArray[Any], heads: int) -> NDArray[Any]:
    """(heads * head_dim, n) rows whose rotation turns the two halves of a head against each other, in the order in
    which llama.cpp's eagle3 graph turns neighbors."""
    pairs = weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
    return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(weights.shape))
