"""The dimensions of a model and the bytes of its parts, as far as memory depends on them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparkdesk.gguf_file import ArrayLength, GgufFile

_KV_BYTES = 2  # of a float16


@dataclass(frozen=True, slots=True)
class Layer:
    """What one layer keeps of every token."""

    kv_bytes_per_token: int
    is_sliding: bool = False


@dataclass(frozen=True, slots=True)
class ModelSize:
    """A target or a draft."""

    name: str
    width: int
    vocabulary: int
    feed_forward: int
    attention: int
    """Numbers in a token's queries of one layer, all heads together."""
    layers: tuple[Layer, ...]
    layer_bytes: tuple[int, ...]
    """Weights of every layer."""
    embedding_bytes: int
    """The table of the input, which stays with the processor."""
    output_bytes: int
    """Output head, norms, and what else belongs to no layer."""
    is_tied: bool = False
    """The head is the table of the input: on a graphics card it is there once more."""
    trained_context: int = 0
    window: int = 0
    """How far sliding layers look back; 0 without such layers."""
    tapped_layers: int = 0
    """For a draft: how many of the target's layers it listens to."""
    block_size: int = 0

    @property
    def weights_bytes(self) -> int:
        return sum(self.layer_bytes) + self.embedding_bytes + self.output_bytes


def size_from_header(header: GgufFile) -> ModelSize:
    read = _Reader(header)
    layer_bytes: Counter[int] = Counter()
    embedding_bytes = output_bytes = 0
    for name, place in header.tensors.items():
        if name.startswith("blk."):
            layer_bytes[int(name.split(".")[1])] += place.size_bytes
        elif name == "token_embd.weight":
            embedding_bytes += place.size_bytes
        else:
            output_bytes += place.size_bytes
    taps = header.metadata.get(f"{header.architecture}.target_layers")
    return ModelSize(
        name=header.name,
        width=read.number("embedding_length"),
        vocabulary=_vocabulary(header),
        feed_forward=read.active_feed_forward(),
        attention=max(read.per_layer("attention.head_count"), default=0) * read.key_length(),
        layers=read.layers(),
        layer_bytes=tuple(layer_bytes[i] for i in range(read.number("block_count"))),
        embedding_bytes=embedding_bytes,
        output_bytes=output_bytes,
        is_tied=bool(embedding_bytes) and "output.weight" not in header.tensors,
        trained_context=read.number("context_length"),
        window=read.number("attention.sliding_window"),
        tapped_layers=taps.count if isinstance(taps, ArrayLength) else 0,
        block_size=read.number("block_size"),
    )


def size_from_config(
    config: Mapping[str, Any], file_bytes: int, *, name: str = "", has_embeddings: bool = True
) -> ModelSize:
    """Before a download: the numbers of a checkpoint's config.json, and the bytes the file has or will have.

    The bytes are shared out as if every weight took the same room. A draft says its block_size, and brings no table of
    its own where `has_embeddings` is false.
    """
    text = config.get("text_config", config)
    width, layers = int(text["hidden_size"]), int(text["num_hidden_layers"])
    vocabulary, feed_forward = int(text["vocab_size"]), int(text.get("intermediate_size", 0))
    heads = int(text["num_attention_heads"])
    head_dim = int(text.get("head_dim") or width // heads)
    kinds = tuple(kind == "sliding_attention" for kind in text.get("layer_types") or (False,) * layers)
    layer_weights = width * (2 * heads * head_dim + 2 * _config_kv(text, head_dim, False) + 3 * feed_forward)
    is_tied = bool(text.get("tie_word_embeddings", config.get("tie_word_embeddings", False)))
    tables = (1 if is_tied else 2) * has_embeddings
    weights = layers * layer_weights + tables * vocabulary * width
    taps = config.get("target_layer_ids") or config.get("dflash_config", {}).get("target_layer_ids") or ()
    if taps:
        weights += len(taps) * width * width
    table_bytes = file_bytes * vocabulary * width // max(1, weights) if has_embeddings else 0
    each_layer = file_bytes * layer_weights // max(1, weights)
    return ModelSize(
        name=name,
        width=width,
        vocabulary=vocabulary,
        feed_forward=feed_forward,
        attention=heads * head_dim,
        layers=tuple(Layer(2 * _config_kv(text, head_dim, slides) * _KV_BYTES, slides) for slides in kinds),
        layer_bytes=(each_layer,) * layers,
        embedding_bytes=table_bytes,
        output_bytes=max(0, file_bytes - table_bytes - each_layer * layers),
        is_tied=is_tied and has_embeddings,
        trained_context=int(text.get("max_position_embeddings", 0)),
        window=int(text.get("sliding_window") or 0) if any(kinds) else 0,
        tapped_layers=len(taps),
        block_size=int(config.get("block_size", 0)) if taps else 0,
    )


def _config_kv(text: Mapping[str, Any], head_dim: int, is_sliding: bool) -> int:
    """Numbers in a token's keys of one layer. Gemma 4 has other heads where it looks at everything."""
    heads = int(text.get("num_key_value_heads") or text["num_attention_heads"])
    if not is_sliding and text.get("num_global_key_value_heads"):
        return int(text["num_global_key_value_heads"]) * int(text.get("global_head_dim") or head_dim)
    return heads * head_dim


def _vocabulary(header: GgufFile) -> int:
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    return tokens.count if isinstance(tokens, ArrayLength) else 0


class _Reader:
    """Numbers of a header under the architecture's own names."""

    def __init__(self, header: GgufFile) -> None:
        self._header = header

    def number(self, name: str) -> int:
        found = self._header.metadata.get(f"{self._header.architecture}.{name}", 0)
        return int(found) if isinstance(found, int | float) else 0

    def per_layer(self, name: str) -> tuple[int, ...]:
        """A value for every layer, also where the file gives one for all."""
        found = self._header.metadata.get(f"{self._header.architecture}.{name}")
        if isinstance(found, ArrayLength):
            return tuple(int(number) for number in found.numbers)
        return (self.number(name),) * self.number("block_count")

    def key_length(self) -> int:
        heads = max(self.per_layer("attention.head_count"), default=0)
        return self.number("attention.key_length") or self.number("embedding_length") // max(1, heads)

    def active_feed_forward(self) -> int:
        """Of a mixture of experts, what a token really goes through."""
        experts = self.number("expert_feed_forward_length") * self.number("expert_used_count")
        return max(max(self.per_layer("feed_forward_length"), default=0), experts)

    def layers(self) -> tuple[Layer, ...]:
        key = self.key_length()
        value = self.number("attention.value_length") or key
        key_swa = self.number("attention.key_length_swa") or key
        value_swa = self.number("attention.value_length_swa") or (value if key_swa == key else key_swa)
        heads = self.per_layer("attention.head_count_kv")
        if not any(heads):
            heads = self.per_layer("attention.head_count")
        slides = self._sliding()
        return tuple(
            Layer(count * ((key_swa + value_swa) if sliding else (key + value)) * _KV_BYTES, sliding)
            for count, sliding in zip(heads, slides, strict=False)
        )

    def _sliding(self) -> tuple[bool, ...]:
        if not self.number("attention.sliding_window"):
            return (False,) * self.number("block_count")
        return tuple(bool(flag) for flag in self.per_layer("attention.sliding_window_pattern"))
