"""What config.json says about a Gemma 4 text model, in each of its spellings, and what of it llama.cpp cannot run.

Up to transformers 5.22 the full layers' own sizes stand in `global_head_dim` and `num_global_key_value_heads`, from
then on in `per_layer_config`, layer by layer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from converters import names
from converters.checkpoint import Checkpoint
from converters.config import Config
from converters.errors import BadCheckpoint, UnsupportedModel
from converters.plan import PlannedTensor, exact, matrix
from converters.safetensors import StoredTensor

_FULL, _SLIDING = "full_attention", "sliding_attention"
_FULL_EVERY = 6  # where config.json names no layer types
_GLOBAL_HEAD_DIM = 512
_LAYER_SIZES = ("head_dim", "num_key_value_heads")
_MOST_LAYERS = 512  # of llama.cpp
_ONE_SIZE = "a GGUF file holds one for all of a kind"


@dataclass(frozen=True, slots=True)
class LayerShape:
    """The sizes in which full and sliding layers differ."""

    head_dim: int
    kv_heads: int
    has_values: bool
    """Whether there is a value projection; else the keys serve as values too."""


@dataclass(frozen=True, slots=True)
class Rope:
    theta: float
    turning: int
    """How many pairs of a head's dimensions turn at all."""


@dataclass(frozen=True, slots=True)
class Gemma4Shape:
    is_full: tuple[bool, ...]
    """For each layer; the others see a sliding window."""

    full: LayerShape
    sliding: LayerShape
    full_rope: Rope
    sliding_rope: Rope
    soft_cap: float
    """Of the logits; 0 where there is none."""

    def layer(self, index: int) -> LayerShape:
        return self.full if self.is_full[index] else self.sliding


def read_shape(config: Config) -> Gemma4Shape:
    """Raises UnsupportedModel for what a Gemma 4 GGUF cannot hold, BadCheckpoint for what makes no sense."""
    _refuse_variants(config)
    is_full = _layer_types(config)
    sliding = LayerShape(config.count("head_dim", 256), config.count("num_key_value_heads"), has_values=True)
    full = _full_layer(config, is_full, sliding)
    for layer in (full, sliding):
        if layer.head_dim % 2 or config.count("num_attention_heads") % layer.kv_heads:
            raise BadCheckpoint("config.json has head sizes or head counts that do not divide.")
    full_rope, sliding_rope = _ropes(config, full.head_dim, sliding.head_dim)
    return Gemma4Shape(is_full, full, sliding, full_rope, sliding_rope, _soft_cap(config))


def _refuse_variants(config: Config) -> None:
    reasons = (
        (_has_experts(config), "experts (MoE), which this converter does not know"),
        (config.flag("attention_bias", default=False), "attention_bias, which a Gemma 4 GGUF cannot hold"),
        (bool(config.raw("hidden_size_per_layer_input")), "per-layer embeddings, which this converter does not know"),
        (bool(config.raw("num_kv_shared_layers")), "layers that share keys, which this converter does not know"),
        (config.raw("use_bidirectional_attention") == "all", "attention in both directions, which llama.cpp lacks"),
    )
    for applies, what in reasons:
        if applies:
            raise UnsupportedModel(f"config.json asks for {what}.", hint="Dense Gemma 4 text models can be converted.")
    activation = config.text("hidden_activation", "gelu_pytorch_tanh")
    if activation != "gelu_pytorch_tanh":
        raise UnsupportedModel(f"config.json asks for the activation {activation}; Gemma 4 has gelu_pytorch_tanh.")


def _has_experts(config: Config) -> bool:
    return config.flag("enable_moe_block", default=False) or bool(config.raw("num_experts"))


def _layer_types(config: Config) -> tuple[bool, ...]:
    count = config.count("num_hidden_layers")
    if count > _MOST_LAYERS:
        raise UnsupportedModel(f"config.json asks for {count:,} layers; llama.cpp runs at most {_MOST_LAYERS}.")
    stated = config.raw("layer_types")
    if stated is None:
        return tuple((layer + 1) % _FULL_EVERY == 0 or layer == count - 1 for layer in range(count))
    if not isinstance(stated, list) or len(stated) != count:
        raise config.fault("layer_types", f"a list of {count} layer types", stated)
    for kind in stated:
        if kind not in (_FULL, _SLIDING):
            raise UnsupportedModel(f"config.json has a layer of type {kind!r}; known are {_FULL} and {_SLIDING}.")
    if stated[-1] != _FULL:
        raise UnsupportedModel("config.json ends with a sliding layer; the last layer of a Gemma 4 is a full one.")
    return tuple(kind == _FULL for kind in stated)


def _full_layer(config: Config, is_full: tuple[bool, ...], sliding: LayerShape) -> LayerShape:
    shares_values = config.flag("attention_k_eq_v", default=False)
    head_dim, kv_heads = _GLOBAL_HEAD_DIM, sliding.kv_heads
    if config.has("global_head_dim"):
        head_dim = config.count("global_head_dim")
    if shares_values and config.has("num_global_key_value_heads"):
        kv_heads = config.count("num_global_key_value_heads")
    own = _sizes_by_layer(config, is_full, sliding)
    return LayerShape(
        own.count("head_dim", head_dim), own.count("num_key_value_heads", kv_heads), has_values=not shares_values
    )


def _sizes_by_layer(config: Config, is_full: tuple[bool, ...], sliding: LayerShape) -> Config:
    """The one set of sizes that `per_layer_config` gives the full layers. A draft may carry its target's numbers."""
    table = config.section("per_layer_config")
    usual = {"head_dim": sliding.head_dim, "num_key_value_heads": sliding.kv_heads}
    of_full: list[dict[str, int]] = []
    for name in table.names():
        sizes = _own_sizes(table.section(name))
        if name.isdecimal() and int(name) < len(is_full) and not is_full[int(name)]:
            if usual | sizes != usual:
                raise UnsupportedModel(f"config.json gives sliding layer {name} sizes of its own; {_ONE_SIZE}.")
        else:
            of_full.append(sizes)
    if any(sizes != of_full[0] for sizes in of_full):
        raise UnsupportedModel(f"config.json gives full layers different sizes; {_ONE_SIZE}.")
    return Config(of_full[0] if of_full else {}, "config.json: per_layer_config")


def _own_sizes(layer: Config) -> dict[str, int]:
    for name in layer.names():
        if name not in _LAYER_SIZES:
            raise UnsupportedModel(f"config.json sets {name} for a single layer, which this converter does not know.")
    return {name: layer.count(name) for name in layer.names()}


def _ropes(config: Config, full_width: int, sliding_width: int) -> tuple[Rope, Rope]:
    stated = config.section("rope_parameters")
    full, sliding = stated.section(_FULL), stated.section(_SLIDING)
    is_stated = stated.has(_FULL)
    kind = full.text("rope_type", "default" if is_stated else "proportional")
    share = full.number("partial_rotary_factor", 1.0 if is_stated else 0.25)
    if kind not in ("default", "proportional") or (kind == "default" and share != 1) or _is_stretched(full):
        raise UnsupportedModel(f"config.json asks for rope of type {kind!r} in full layers; known is proportional.")
    if sliding.text("rope_type", "default") != "default" or sliding.number("partial_rotary_factor", 1.0) != 1:
        raise UnsupportedModel("config.json asks for a rope of its own in sliding layers; known is default.")
    turning = int(share * full_width // 2)
    if not 0 < turning <= full_width // 2:
        raise full.fault("partial_rotary_factor", "a share between 0 and 1", share)
    return (
        Rope(full.number("rope_theta", None if is_stated else 1e6), turning),
        Rope(sliding.number("rope_theta", None if stated.has(_SLIDING) else 1e4), sliding_width // 2),
    )


def _is_stretched(rope: Config) -> bool:
    return rope.number("factor", 1.0) != 1


def _soft_cap(config: Config) -> float:
    cap = config.number("final_logit_softcapping", 0.0)
    if cap < 0:
        raise config.fault("final_logit_softcapping", "a number above zero", cap)
    return cap


_WRAPPED, _BARE = "model.language_model.", "model."
_TOWERS = tuple(
    f"model.{part}." for part in ("vision_tower", "vision_embedder", "embed_vision", "audio_tower", "embed_audio")
)


def text_checkpoint(checkpoint: Checkpoint) -> Checkpoint:
    tensors = {_bare(name): tensor for name, tensor in checkpoint.tensors.items() if not name.startswith(_TOWERS)}
    return replace(
        checkpoint,
        config=checkpoint.config.unwrapped("text_config"),
        tensors={name: replace(tensor, name=name) for name, tensor in tensors.items()},
    )


def left_out(checkpoint: Checkpoint) -> str:
    """What the user should know about the parts that are not text; empty where there are none."""
    if not any(name.startswith(_TOWERS) for name in checkpoint.tensors):
        return ""
    return "Only the text model is converted: the parts for images and audio are left out."


def _bare(name: str) -> str:
    return _BARE + name.removeprefix(_WRAPPED) if name.startswith(_WRAPPED) else name


_STILL = 1e30  # llama.cpp divides a pair's speed by its factor


def layer_tensors(checkpoint: Checkpoint, shape: Gemma4Shape, encoding: str, *, prefix: str) -> Iterator[PlannedTensor]:
    """Every layer's tensors; `prefix` is what stands before `layers.` in the checkpoint."""
    for layer in range(len(shape.is_full)):
        at = f"{prefix}layers.{layer}."
        sizes = shape.layer(layer)
        for name, part, size in _matrices(checkpoint.config, sizes):
            yield matrix(names.layer_tensor(layer, part), checkpoint.tensor(f"{at}{name}.weight", *size), encoding)
        for name, part, width in _norms(checkpoint.config, sizes):
            yield exact(names.layer_tensor(layer, part), checkpoint.tensor(f"{at}{name}.weight", width))
        if f"{at}layer_scalar" in checkpoint.tensors:  # without one it is 1
            scalar = checkpoint.tensor(f"{at}layer_scalar", 1)
            yield exact(names.layer_tensor(layer, names.LAYER_OUTPUT_SCALE), scalar)


def rope_frequencies(shape: Gemma4Shape) -> PlannedTensor:
    """What a full layer's speeds are divided by: the pairs beyond its share stand still where they are."""
    factors = np.full(shape.full.head_dim // 2, _STILL, "<f4")
    factors[: shape.full_rope.turning] = 1
    return exact(names.ROPE_FREQS, StoredTensor(names.ROPE_FREQS, "F32", factors))


def _matrices(config: Config, layer: LayerShape) -> Iterator[tuple[str, str, tuple[int, int]]]:
    hidden, inner = config.count("hidden_size"), config.count("intermediate_size")
    query, key_value = config.count("num_attention_heads") * layer.head_dim, layer.kv_heads * layer.head_dim
    yield "self_attn.q_proj", names.ATTENTION_Q, (query, hidden)
    yield "self_attn.k_proj", names.ATTENTION_K, (key_value, hidden)
    if layer.has_values:
        yield "self_attn.v_proj", names.ATTENTION_V, (key_value, hidden)
    yield "self_attn.o_proj", names.ATTENTION_OUTPUT, (hidden, query)
    yield "mlp.gate_proj", names.FFN_GATE, (inner, hidden)
    yield "mlp.up_proj", names.FFN_UP, (inner, hidden)
    yield "mlp.down_proj", names.FFN_DOWN, (hidden, inner)


def _norms(config: Config, layer: LayerShape) -> Iterator[tuple[str, str, int]]:
    hidden = config.count("hidden_size")
    yield "input_layernorm", names.ATTENTION_NORM, hidden
    yield "post_attention_layernorm", names.POST_ATTENTION_NORM, hidden
    yield "pre_feedforward_layernorm", names.FFN_NORM, hidden
    yield "post_feedforward_layernorm", names.POST_FFN_NORM, hidden
    yield "self_attn.q_norm", names.ATTENTION_Q_NORM, layer.head_dim
    yield "self_attn.k_norm", names.ATTENTION_K_NORM, layer.head_dim
