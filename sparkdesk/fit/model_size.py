"""The dimensions of a model and the bytes of its parts, as far as memory depends on them."""

from collections import Counter
from dataclasses import dataclass, replace

from sparkdesk.gguf.architectures import Rollback, architecture_named
from sparkdesk.gguf.header import ArrayLength, GgufFile
from sparkdesk.gguf.pairing import DraftKind, draft_kind

KV_BYTES = 2  # of a float16
_STATE_BYTES = 4  # of a recurrent state's numbers
MTP, ROLLBACK_STATES = "mtp", 7
"""The engine's own word, and how many earlier states it keeps of recurrent layers."""
_ATTENTION_EVERY = "full_attention_interval"


@dataclass(frozen=True, slots=True)
class Layer:
    """What one layer keeps of every token."""

    kv_bytes_per_token: int
    is_sliding: bool = False
    state_bytes: int = 0
    """Of a recurrent layer: its state and the earlier ones that are kept, whatever the context."""


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
    drafts_as: str = ""
    """A DraftKind's name or "mtp": what it would be as a draft; empty where a config does not tell."""
    recurrent: int = 0
    """Numbers that a token takes in a recurrent layer while it is computed."""
    reduced_vocabulary: int = 0
    """Rows of an EAGLE-3 draft's own output head where it has fewer than the vocabulary."""

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
    """Without its MTP layers, which the engine loads only where they draft."""
    read = _Reader(header)
    layer_bytes = _layer_bytes(header)
    embedding_bytes = output_bytes = 0
    for name, place in header.tensors.items():
        if name.startswith("blk."):
            continue
        if name == "token_embd.weight":
            embedding_bytes += place.size_bytes
        else:
            output_bytes += place.size_bytes
    kind, reduced = draft_kind(header), header.tensors.get("d2t")
    taps = header.metadata.get(f"{header.architecture}.target_layers")
    return ModelSize(
        name=header.name,
        width=read.number("embedding_length"),
        vocabulary=_vocabulary(header),
        feed_forward=read.active_feed_forward(),
        attention=max(read.per_layer("attention.head_count"), default=0) * read.key_length(),
        layers=read.layers(),
        layer_bytes=tuple(layer_bytes[i] for i in range(read.layer_count())),
        embedding_bytes=embedding_bytes,
        output_bytes=output_bytes,
        is_tied=bool(embedding_bytes) and "output.weight" not in header.tensors,
        trained_context=read.number("context_length"),
        window=read.number("attention.sliding_window"),
        tapped_layers=taps.count if isinstance(taps, ArrayLength) else 0,
        block_size=read.number("block_size"),
        drafts_as=kind.value,
        recurrent=read.recurrent(),
        reduced_vocabulary=reduced.shape[0] if reduced is not None and kind is DraftKind.EAGLE3 else 0,
    )


def mtp_size(header: GgufFile) -> ModelSize | None:
    """The MTP layers of a target as a draft of their own; None where it has none.

    Embeddings and head are the target's.
    """
    read = _Reader(header)
    count, first = read.mtp_count(), read.layer_count()
    if not count:
        return None
    layer_bytes = _layer_bytes(header)
    return replace(
        size_from_header(header),
        layers=(read.attention_layer(first),) * count,
        layer_bytes=tuple(layer_bytes[first + i] for i in range(count)),
        embedding_bytes=0,
        output_bytes=0,
        is_tied=False,
        drafts_as=MTP,
        recurrent=0,
    )


def _layer_bytes(header: GgufFile) -> Counter[int]:
    found: Counter[int] = Counter()
    for name, place in header.tensors.items():
        if name.startswith("blk."):
            found[_layer(name)] += place.size_bytes
    return found


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

    def mtp_count(self) -> int:
        """Layers at its end that predict further tokens. Of Gemma 4's assistant, all its layers are called that."""
        return 0 if draft_kind(self._header) is DraftKind.ASSISTANT else self.number("nextn_predict_layers")

    def layer_count(self) -> int:
        return max(0, self.number("block_count") - self.mtp_count())

    def key_length(self) -> int:
        heads = max(self.per_layer("attention.head_count"), default=0)
        return self.number("attention.key_length") or self.number("embedding_length") // max(1, heads)

    def active_feed_forward(self) -> int:
        """Of a mixture of experts, what a token really goes through."""
        experts = self.number("expert_feed_forward_length") * self.number("expert_used_count")
        return max(max(self.per_layer("feed_forward_length"), default=0), experts)

    def layers(self) -> tuple[Layer, ...]:
        if draft_kind(self._header) is DraftKind.ASSISTANT:  # it reads the target's cache
            return (Layer(0),) * self.layer_count()
        key = self.key_length()
        value = self.number("attention.value_length") or key
        key_swa = self.number("attention.key_length_swa") or key
        value_swa = self.number("attention.value_length_swa") or (value if key_swa == key else key_swa)
        heads = self.per_layer("attention.head_count_kv")
        if not any(heads):
            heads = self.per_layer("attention.head_count")
        slides = self._sliding()
        states = self._state_bytes()
        return tuple(
            Layer(0, state_bytes=states[i])
            if states[i]
            else Layer(count * ((key_swa + value_swa) if sliding else (key + value)) * KV_BYTES, sliding)
            for i, (count, sliding) in enumerate(zip(heads[: self.layer_count()], slides, strict=False))
        )

    def attention_layer(self, index: int) -> Layer:
        heads = self.per_layer("attention.head_count_kv")
        key = self.key_length()
        count = heads[index] if index < len(heads) else max(heads, default=0)
        return Layer(count * (key + (self.number("attention.value_length") or key)) * KV_BYTES)

    def recurrent(self) -> int:
        """Copies as counted on gated delta nets with a state of 128: of the convolution, or of the net in chunks."""
        inner, keys = self._recurrent_widths()
        repeated = 6 if keys < inner else 3  # where keys are fewer than values they are repeated
        widest = max(3 * (inner + 2 * keys), 4 * inner + repeated * keys)
        return widest + 3 * self.number("embedding_length") if inner else 0

    def _recurrent_widths(self) -> tuple[int, int]:
        """Values and keys of a recurrent layer, all heads together; 0 without one."""
        return self.number("ssm.inner_size"), self.number("ssm.group_count") * self.number("ssm.state_size")

    def _state_bytes(self) -> tuple[int, ...]:
        """Of every layer; 0 for those of attention. Sizes as in llama.cpp's n_embd_r and n_embd_s."""
        count = self.number("block_count")
        if short := self.number("shortconv.l_cache"):
            numbers = self.number("embedding_length") * (short - 1)
        else:
            inner, keys = self._recurrent_widths()
            kernel = max(1, self.number("ssm.conv_kernel"))
            numbers = (kernel - 1) * (inner + 2 * keys) + inner * self.number("ssm.state_size")
        keeps = architecture_named(self._header.architecture).rollback is Rollback.RECURRENT_STATES
        size_bytes = numbers * _STATE_BYTES * (1 + ROLLBACK_STATES * keeps)
        return tuple(size_bytes if self._is_recurrent(i) else 0 for i in range(count))

    def _is_recurrent(self, index: int) -> bool:
        if every := self.number(_ATTENTION_EVERY):
            return bool((index + 1) % every)
        heads, feed_forward = self.per_layer("attention.head_count_kv"), self.per_layer("feed_forward_length")
        if len(set(heads)) < 2 and any(heads):
            return False
        # Layers of nothing but a feed-forward network have no keys and values either, and no state.
        is_mlp = len(set(feed_forward)) > 1 and 0 in feed_forward and bool(feed_forward[index])
        return not heads[index] and not is_mlp

    def _sliding(self) -> tuple[bool, ...]:
        if not self.number("attention.sliding_window"):
            return (False,) * self.number("block_count")
        return tuple(bool(flag) for flag in self.per_layer("attention.sliding_window_pattern"))
