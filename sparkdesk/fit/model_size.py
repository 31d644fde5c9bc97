"""The dimensions of a model and the bytes of its parts, as far as memory depends on them."""

from collections import Counter
from dataclasses import dataclass, replace

from sparkdesk.gguf.header import ArrayLength, GgufFile

KV_BYTES = 2  # of a float16


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

    def in_a_file_of(self, size_bytes: int) -> "ModelSize":
        """The same model in another quantization: every part takes its share of it."""
        share = size_bytes / max(1, self.weights_bytes)
        layer_bytes = tuple(int(each * share) for each in self.layer_bytes)
        embedding_bytes = int(self.embedding_bytes * share)
        output_bytes = max(0, size_bytes - sum(layer_bytes) - embedding_bytes)
        return replace(self, layer_bytes=layer_bytes, embedding_bytes=embedding_bytes, output_bytes=output_bytes)

    def with_even_layers(self, size_bytes: int) -> "ModelSize":
        """Of a file in several parts, whose first part tells of its own tensors only."""
        rest = max(0, size_bytes - self.embedding_bytes - self.output_bytes)
        count = max(1, len(self.layers))
        return replace(self, layer_bytes=(rest // count,) * len(self.layers))


def size_from_header(header: GgufFile) -> ModelSize:
    read = _Reader(header)
    layer_bytes: Counter[int] = Counter()
    embedding_bytes = output_bytes = 0
    for name, place in header.tensors.items():
        if name.startswith("blk."):
            layer_bytes[_layer(name)] += place.size_bytes
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


def _layer(name: str) -> int:
    """-1 for a name that only begins like a layer's."""
    number = name.split(".")[1]
    return int(number) if number.isdecimal() and len(number) < 10 else -1


def _vocabulary(header: GgufFile) -> int:
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    return tokens.count if isinstance(tokens, ArrayLength) else 0


class _Reader:
    """Numbers of a header under the architecture's own names."""

    def __init__(self, header: GgufFile) -> None:
        self._header = header

    def number(self, name: str) -> int:
        return self._header.whole_number(f"{self._header.architecture}.{name}")

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
            Layer(count * ((key_swa + value_swa) if sliding else (key + value)) * KV_BYTES, sliding)
            for count, sliding in zip(heads, slides, strict=False)
        )

    def _sliding(self) -> tuple[bool, ...]:
        if not self.number("attention.sliding_window"):
            return (False,) * self.number("block_count")
        return tuple(bool(flag) for flag in self.per_layer("attention.sliding_window_pattern"))
