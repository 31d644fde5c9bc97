"""Qwen3 targets (`Qwen3ForCausalLM`), and the parts of a Qwen3 layer that drafts share."""

from collections.abc import Iterator

from converters import names
from converters.chat_template import chat_template_entries
from converters.checkpoint import Checkpoint
from converters.config import Config
from converters.errors import BadCheckpoint, UnsupportedModel
from converters.names import Entry, f32, text, u32
from converters.origin import origin_entries
from converters.plan import FilePlan, PlannedTensor, exact, matrix
from converters.vocab import read_vocabulary

# llama.cpp computes these itself, so only their usual values can be converted; the attention factor has none.
_YARN_DEFAULTS = (("beta_fast", 32), ("beta_slow", 1), ("attention_factor", 0))


def plan_target(checkpoint: Checkpoint, *, encoding: str) -> FilePlan:
    config = checkpoint.config
    vocabulary = read_vocabulary(checkpoint.folder, config)
    entries = (
        *origin_entries(checkpoint),
        *shape_entries(config, names.QWEN3),
        *vocabulary.entries(),
        *chat_template_entries(checkpoint.folder),
    )
    tensors = (*_outer_tensors(checkpoint, encoding), *layer_tensors(checkpoint, encoding, prefix="model."))
    checkpoint.refuse_others({tensor.source.name for tensor in tensors} | {"lm_head.weight"})
    return FilePlan(names.QWEN3, entries, tensors, notice=vocabulary.notice)


def is_tied(checkpoint: Checkpoint) -> bool:
    """Whether the output head is the embeddings once more."""
    return checkpoint.config.flag("tie_word_embeddings", default="lm_head.weight" not in checkpoint.tensors)


def _outer_tensors(checkpoint: Checkpoint, encoding: str) -> Iterator[PlannedTensor]:
    vocab, hidden = checkpoint.config.count("vocab_size"), checkpoint.config.count("hidden_size")
    embeddings = checkpoint.tensor("model.embed_tokens.weight", vocab, hidden)
    yield matrix(names.TOKEN_EMBEDDINGS, embeddings, encoding)
    if not is_tied(checkpoint):
        yield matrix(names.OUTPUT_HEAD, checkpoint.tensor("lm_head.weight", vocab, hidden), encoding)
    yield exact(names.OUTPUT_NORM, checkpoint.tensor("model.norm.weight", hidden))


def shape_entries(config: Config, architecture: str) -> tuple[Entry, ...]:
    """The keys that give a Qwen3 backbone its shape."""
    _refuse_variants(config)
    head_width = head_dim(config)
    counts = (
        (names.BLOCK_COUNT, config.count("num_hidden_layers")),
        (names.CONTEXT_LENGTH, config.count("max_position_embeddings")),
        (names.EMBEDDING_LENGTH, config.count("hidden_size")),
        (names.FEED_FORWARD_LENGTH, config.count("intermediate_size")),
        (names.HEAD_COUNT, config.count("num_attention_heads")),
        (names.HEAD_COUNT_KV, config.count("num_key_value_heads")),
        (names.KEY_LENGTH, head_width),
        (names.VALUE_LENGTH, head_width),
    )
    return (
        *(u32(names.key(template, architecture), count) for template, count in counts),
        f32(names.key(names.RMS_EPSILON, architecture), config.number("rms_norm_eps", 1e-6)),
        *_rope_entries(config, architecture),
    )


def head_dim(config: Config) -> int:
    # Qwen3 sets it apart from the hidden size; where it is silent, transformers means 128.
    return config.count("head_dim", 128)


def _refuse_variants(config: Config) -> None:
    if config.flag("attention_bias", default=False):
        raise UnsupportedModel("config.json asks for attention_bias, which a Qwen3 GGUF cannot hold.")
    if config.count("num_attention_heads") % config.count("num_key_value_heads"):
        raise BadCheckpoint("config.json has num_attention_heads that num_key_value_heads does not divide.")
    if config.flag("use_sliding_window", default=False):
        raise UnsupportedModel("config.json asks for use_sliding_window, which llama.cpp does not run for Qwen3.")
    if config.text("hidden_act", "silu") != "silu":
        raise UnsupportedModel(f"config.json asks for the activation {config.text('hidden_act')}; Qwen3 has silu.")


def _rope_entries(config: Config, architecture: str) -> tuple[Entry, ...]:
    # transformers 5 moved rope_theta into rope_parameters; older files have it at the top.
    rope = config.section("rope_parameters" if config.has("rope_parameters") else "rope_scaling")
    theta = rope.number("rope_theta") if rope.has("rope_theta") else config.number("rope_theta")
    base = f32(names.key(names.ROPE_FREQ_BASE, architecture), theta)
    kind = rope.text("rope_type", rope.text("type", "default"))
    if kind == "default":
        return (base,)
    if kind not in ("yarn", "linear"):
        raise UnsupportedModel(f"config.json asks for rope scaling of type {kind!r}; known are yarn and linear.")
    for name, usual in _YARN_DEFAULTS:
        if rope.number(name, usual) != usual:
            raise UnsupportedModel(f"config.json sets {name} of the rope scaling, which this converter does not know.")
    return (base, *_scaling_entries(rope, kind, config.count("max_position_embeddings"), architecture))


def _scaling_entries(rope: Config, kind: str, context: int, architecture: str) -> tuple[Entry, ...]:
    original = rope.count("original_max_position_embeddings", context)
    return (
        text(names.key(names.ROPE_SCALING_TYPE, architecture), kind),
        f32(names.key(names.ROPE_SCALING_FACTOR, architecture), rope.number("factor")),
        u32(names.key(names.ROPE_SCALING_ORIGINAL, architecture), original),
    )


def layer_tensors(checkpoint: Checkpoint, encoding: str, *, prefix: str) -> Iterator[PlannedTensor]:
    """Every layer's tensors; `prefix` is what stands before `layers.` in the checkpoint."""
    for layer in range(checkpoint.config.count("num_hidden_layers")):
        at = f"{prefix}layers.{layer}."
        for name, part, shape in _matrices(checkpoint.config):
            yield matrix(names.layer_tensor(layer, part), checkpoint.tensor(f"{at}{name}.weight", *shape), encoding)
        for name, part, width in _norms(checkpoint.config):
            yield exact(names.layer_tensor(layer, part), checkpoint.tensor(f"{at}{name}.weight", width))


def _matrices(config: Config) -> tuple[tuple[str, str, tuple[int, int]], ...]:
    hidden, inner, width = config.count("hidden_size"), config.count("intermediate_size"), head_dim(config)
    query = config.count("num_attention_heads") * width
    key_value = config.count("num_key_value_heads") * width
    return (
        ("self_attn.q_proj", names.ATTENTION_Q, (query, hidden)),
        ("self_attn.k_proj", names.ATTENTION_K, (key_value, hidden)),
        ("self_attn.v_proj", names.ATTENTION_V, (key_value, hidden)),
        ("self_attn.o_proj", names.ATTENTION_OUTPUT, (hidden, query)),
        ("mlp.gate_proj", names.FFN_GATE, (inner, hidden)),
        ("mlp.up_proj", names.FFN_UP, (inner, hidden)),
        ("mlp.down_proj", names.FFN_DOWN, (hidden, inner)),
    )


def _norms(config: Config) -> tuple[tuple[str, str, int], ...]:
    hidden, width = config.count("hidden_size"), head_dim(config)
    return (
        ("input_layernorm", names.ATTENTION_NORM, hidden),
        ("post_attention_layernorm", names.FFN_NORM, hidden),
        ("self_attn.q_norm", names.ATTENTION_Q_NORM, width),
        ("self_attn.k_norm", names.ATTENTION_K_NORM, width),
    )
