"""What the values of a GGUF header may be, by themselves and against each other: checked before anything is computed.

Nothing is said here of what llama.cpp needs to run a model; a projector or an adapter passes too.
"""

import math
import re
from collections.abc import Mapping

from converters.gguf_types import ArrayLength, BadHeader, GgufHeader, Scalar

_MOST_F32 = 3.4028235e38
ARCHITECTURE = "general.architecture"
_ARCHITECTURE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LAYER = re.compile(r"blk\.(\d{1,9})\.")
_BIG = (1 << 31) - 1

_RANGES: Mapping[str, tuple[int, int]] = {
    "block_count": (1, 1024),
    "embedding_length": (1, 1 << 20),
    "context_length": (1, 1 << 28),
    "feed_forward_length": (0, 1 << 24),
    "expert_feed_forward_length": (0, 1 << 24),
    "expert_count": (0, 1 << 16),
    "expert_used_count": (0, 1 << 16),
    "vocab_size": (0, 1 << 24),
    "attention.head_count": (0, 1 << 14),
    "attention.head_count_kv": (0, 1 << 14),
    "attention.key_length": (0, 1 << 16),
    "attention.value_length": (0, 1 << 16),
    "attention.key_length_swa": (0, 1 << 16),
    "attention.value_length_swa": (0, 1 << 16),
    "attention.sliding_window": (0, (1 << 32) - 1),
    "nextn_predict_layers": (0, 64),
    "block_size": (0, _BIG),
    "target_layers": (-_BIG, _BIG),
    "rope.dimension_count": (0, 1 << 16),
}
"""Whole numbers, below the architecture's name: those that memory and shapes are computed from."""
_POSITIVE = ("rope.freq_base", "attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon")
_PER_LAYER = ("feed_forward_length", "attention.head_count", "attention.head_count_kv")


def check_values(header: GgufHeader) -> None:
    """Raises BadHeader."""
    for key, value in header.metadata.items():
        _check_finite(key, value)
    architecture = header.metadata.get(ARCHITECTURE)
    if architecture is None:
        return
    if not isinstance(architecture, str) or not _ARCHITECTURE.fullmatch(architecture):
        raise BadHeader(f"names an impossible architecture, {str(architecture)[:60]!r}")
    for name, (least, most) in _RANGES.items():
        _check_range(f"{architecture}.{name}", header.metadata.get(f"{architecture}.{name}"), least, most)
    for name in _POSITIVE:
        stated = header.metadata.get(f"{architecture}.{name}")
        if stated is not None and (isinstance(stated, bool | str | ArrayLength) or stated <= 0):
            raise _bad(f"{architecture}.{name}", stated, "a number above zero is needed")
    _check_layers(header, architecture)
    _check_embeddings(header, architecture)


def missing_key(header_metadata: Mapping[str, Scalar | ArrayLength]) -> str:
    """The first key a language model needs that the header does not have; empty where it has them all."""
    architecture = header_metadata.get(ARCHITECTURE, "")
    needed = [f"{architecture}.block_count", f"{architecture}.embedding_length"]
    return next((key for key in (ARCHITECTURE, *needed) if key not in header_metadata), "")


def _check_finite(key: str, value: Scalar | ArrayLength) -> None:
    for each in value.numbers if isinstance(value, ArrayLength) else (value,):
        if isinstance(each, float) and not (math.isfinite(each) and abs(each) <= _MOST_F32):
            raise _bad(key, each, "a finite number is needed")


def _check_range(key: str, value: Scalar | ArrayLength | None, least: int, most: int) -> None:
    if value is None:
        return
    numbers = value.numbers if isinstance(value, ArrayLength) else (value,)
    if isinstance(value, ArrayLength) and len(numbers) != value.count:
        raise BadHeader(f"has an array {key!r} of {value.count:,} values")
    for each in numbers:
        if not isinstance(each, int) or isinstance(each, bool) or not least <= each <= most:
            raise _bad(key, each, f"a whole number from {least:,} to {most:,} is needed")


def _check_layers(header: GgufHeader, architecture: str) -> None:
    count = header.metadata.get(f"{architecture}.block_count")
    if count is None:
        return
    if not isinstance(count, int):
        raise BadHeader(f"has an array where {architecture}.block_count should be one number")
    for name in _PER_LAYER:
        value = header.metadata.get(f"{architecture}.{name}")
        if isinstance(value, ArrayLength) and value.count < count:
            raise BadHeader(f"says {architecture}.{name} for {value.count:,} layers and has {count:,}")
    extra = header.metadata.get(f"{architecture}.nextn_predict_layers", 0)
    most = count + (extra if isinstance(extra, int) else 0)
    for name in header.tensors:
        layer = _LAYER.match(name)
        if name.startswith("blk.") and (layer is None or int(layer[1]) >= most):
            raise BadHeader(f"has a tensor {name[:60]!r} of a layer beyond its {count:,}")


def _check_embeddings(header: GgufHeader, architecture: str) -> None:
    place, width = header.tensors.get("token_embd.weight"), header.metadata.get(f"{architecture}.embedding_length")
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    if place is None or not isinstance(width, int):
        return
    if len(place.shape) != 2 or place.shape[0] != width:
        raise BadHeader(f"has token embeddings of shape {list(place.shape)} and says a width of {width:,}")
    if isinstance(tokens, ArrayLength) and tokens.count > place.shape[1]:
        raise BadHeader(f"has {tokens.count:,} tokens and embeddings for {place.shape[1]:,}")


def _bad(key: str, value: object, wanted: str) -> BadHeader:
    said = f"an array of {value.count:,}" if isinstance(value, ArrayLength) else str(value)
    return BadHeader(f"says {said[:40]} for {key[:60]!r}; {wanted}")
