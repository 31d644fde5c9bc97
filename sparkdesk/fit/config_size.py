"""The dimensions of a model from its checkpoint's config.json: before a download, when there is no header yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparkdesk.fit.model_size import KV_BYTES, Layer, ModelSize

_TAPS = ("target_layer_ids", "aux_hidden_state_layer_ids")


@dataclass(frozen=True, slots=True)
class _Shape:
    """The numbers that matter, whichever of the forms the file has."""

    text: Mapping[str, Any]
    """Where the backbone's own numbers stand."""
    width: int
    layers: int
    vocabulary: int
    feed_forward: int
    heads: int
    head_dim: int
    is_tied: bool
    taps: int
    block_size: int
    draft_head: int
    """Weights of a draft's Markov head, and of its own output head where its vocabulary is a smaller one."""

    @property
    def layer_weights(self) -> int:
        kv = 2 * _kv(self.text, self.head_dim, is_sliding=False)
        return self.width * (2 * self.heads * self.head_dim + kv + 3 * self.feed_forward)

    def weights(self, *, has_embeddings: bool) -> int:
        tables = (1 if self.is_tied else 2) * has_embeddings
        taps = self.taps * self.width * self.width
        return self.layers * self.layer_weights + tables * self.vocabulary * self.width + taps + self.draft_head


def size_from_config(
    config: Mapping[str, Any], file_bytes: int, *, name: str = "", has_embeddings: bool = True
) -> ModelSize:
    """Of a file that has, or will have, so many bytes; they are shared out as if every weight took the same room.

    A draft says its block_size, and brings no table of its own where `has_embeddings` is false. Raises KeyError,
    TypeError or ValueError where the file is of a form that is not known.
    """
    shape = _shape(config)
    weights = max(1, shape.weights(has_embeddings=has_embeddings))
    kinds = tuple(kind == "sliding_attention" for kind in shape.text.get("layer_types") or (False,) * shape.layers)
    table_bytes = file_bytes * shape.vocabulary * shape.width // weights if has_embeddings else 0
    each_layer = file_bytes * shape.layer_weights // weights
    return ModelSize(
        name=name,
        width=shape.width,
        vocabulary=shape.vocabulary,
        feed_forward=shape.feed_forward,
        attention=shape.heads * shape.head_dim,
        layers=tuple(Layer(2 * _kv(shape.text, shape.head_dim, is_sliding=each) * KV_BYTES, each) for each in kinds),
        layer_bytes=(each_layer,) * shape.layers,
        embedding_bytes=table_bytes,
        output_bytes=max(0, file_bytes - table_bytes - each_layer * shape.layers),
        is_tied=shape.is_tied and has_embeddings,
        trained_context=int(shape.text.get("max_position_embeddings", 0)),
        window=int(shape.text.get("sliding_window") or 0) if any(kinds) else 0,
        tapped_layers=shape.taps,
        block_size=shape.block_size,
    )


def weights_in_config(config: Mapping[str, Any], *, has_embeddings: bool = True) -> int:
    """How many numbers a converted file holds; raises like `size_from_config`."""
    return _shape(config).weights(has_embeddings=has_embeddings)


def is_draft_config(config: Mapping[str, Any]) -> bool:
    return bool(_taps(config))


def _shape(config: Mapping[str, Any]) -> _Shape:
    text = config.get("text_config") or config.get("transformer_layer_config") or config
    width, layers, vocabulary = int(text["hidden_size"]), int(text["num_hidden_layers"]), int(text["vocab_size"])
    heads = int(text["num_attention_heads"])
    taps, own = len(_taps(config)), config.get("dflash_config") or {}
    drafted = int(config.get("draft_vocab_size") or vocabulary)
    markov = int(config.get("markov_rank") or 0) * (vocabulary + drafted)
    return _Shape(
        text=text,
        width=width,
        layers=layers,
        vocabulary=vocabulary,
        feed_forward=int(text.get("intermediate_size", 0)),
        heads=heads,
        head_dim=int(text.get("head_dim") or width // heads),
        is_tied=bool(text.get("tie_word_embeddings", config.get("tie_word_embeddings", False))),
        taps=taps,
        block_size=int(own.get("block_size") or config.get("block_size") or 0) if taps else 0,
        draft_head=(markov + (drafted * width if drafted != vocabulary else 0)) if taps else 0,
    )


def _taps(config: Mapping[str, Any]) -> tuple[int, ...]:
    places = (config, config.get("dflash_config") or {})
    found = next((place[name] for place in places for name in _TAPS if place.get(name)), ())
    return tuple(found)


def _kv(text: Mapping[str, Any], head_dim: int, *, is_sliding: bool) -> int:
    """Numbers in a token's keys of one layer. Gemma 4 has other heads where it looks at everything."""
    heads = int(text.get("num_key_value_heads") or text["num_attention_heads"])
    if not is_sliding and text.get("num_global_key_value_heads"):
        return int(text["num_global_key_value_heads"]) * int(text.get("global_head_dim") or head_dim)
    return heads * head_dim
