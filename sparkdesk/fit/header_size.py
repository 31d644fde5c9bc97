"""The dimensions of a model from the header of its GGUF file; recurrent states as in llama-hparams.cpp."""

import re
from collections import Counter
from dataclasses import replace

from sparkdesk.fit.model_size import KV_BYTES, MTP, ROLLBACK_STATES, Layer, ModelSize
from sparkdesk.gguf.architectures import Recurrent, Rollback, architecture_named
from sparkdesk.gguf.header import ArrayLength, GgufFile
from sparkdesk.gguf.pairing import EAGLE3_FEATURE_LAYERS, DraftKind, draft_kind

_EXPERTS = re.compile(r"\.ffn_(up|down|gate|gate_up)_(ch|)exps")
"""As llama.cpp's --cpu-moe names them."""
_ANY = re.compile("")
_USUAL_INTERVAL = 4  # of attention layers in a hybrid, where the file does not say
_STATE_BYTES = 4  # of a float32


def size_from_header(header: GgufFile) -> ModelSize:
    """Without its MTP layers, which the engine loads only where they draft, or where they are all there is."""
    whole = _whole_size(header)
    layer = mtp_size(header) if draft_kind(header) is DraftKind.MTP else None
    if layer is None:
        return whole
    return replace(layer, embedding_bytes=whole.embedding_bytes, output_bytes=whole.output_bytes)


def _whole_size(header: GgufFile) -> ModelSize:
    read = _Reader(header)
    layer_bytes, expert_bytes = _layer_bytes(header), _layer_bytes(header, _EXPERTS)
    embedding_bytes = output_bytes = 0
    for name, place in header.tensors.items():
        if name.startswith("blk."):
            continue
        if name == "token_embd.weight":
            embedding_bytes += place.size_bytes
        else:
            output_bytes += place.size_bytes
    kind, reduced = draft_kind(header), header.tensors.get("d2t")
    taps = header.metadata.get(EAGLE3_FEATURE_LAYERS) or header.metadata.get(f"{header.architecture}.target_layers")
    return ModelSize(
        name=header.name,
        width=read.number("embedding_length"),
        vocabulary=_vocabulary(header),
        feed_forward=read.active_feed_forward(),
        attention=max(read.per_layer("attention.head_count"), default=0) * read.key_length(),
        layers=tuple(replace(layer, expert_bytes=expert_bytes[i]) for i, layer in enumerate(read.layers())),
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
        mtp_layers=read.mtp_count(),
        most_rollback_states=ROLLBACK_STATES if read.keeps_states else 0,
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
        _whole_size(header),
        layers=(read.attention_layer(first),) * count,
        layer_bytes=tuple(layer_bytes[first + i] for i in range(count)),
        embedding_bytes=0,
        output_bytes=0,
        is_tied=False,
        drafts_as=MTP,
        recurrent=0,
    )


def _layer_bytes(header: GgufFile, pattern: re.Pattern[str] = _ANY) -> Counter[int]:
    """Of every layer, the weights whose names the pattern is found in."""
    found: Counter[int] = Counter()
    for name, place in header.tensors.items():
        if name.startswith("blk.") and pattern.search(name):
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
        self._architecture = architecture_named(header.architecture)

    def number(self, name: str) -> int:
        return self._header.whole_number(f"{self._header.architecture}.{name}")

    @property
    def keeps_states(self) -> bool:
        """Whether earlier states of its recurrent layers may be kept."""
        return self._architecture.rollback is Rollback.RECURRENT_STATES

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
        kinds = zip(heads[: self.layer_count()], self._sliding(), self._recurrent(), strict=False)
        has_both = self._architecture.recurrent is Recurrent.BESIDE_ATTENTION
        return tuple(
            Layer(
                count * ((key_swa + value_swa) if sliding else (key + value)) * KV_BYTES,
                sliding,
                self._state_bytes() if is_recurrent else 0,
            )
            if has_both or not is_recurrent
            else Layer(0, state_bytes=self._state_bytes())
            for count, sliding, is_recurrent in kinds
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

    def _recurrent(self) -> tuple[bool, ...]:
        """As llama.cpp's `is_recr`."""
        kind, count = self._architecture.recurrent, self.layer_count()
        told = self._header.metadata.get(f"{self._header.architecture}.attention.recurrent_layers")
        if kind is None:
            return (False,) * count
        if isinstance(told, ArrayLength):
            return tuple(bool(flag) for flag in told.numbers)
        if kind is Recurrent.BY_INTERVAL:
            interval = self.number("full_attention_interval") or _USUAL_INTERVAL
            return tuple((i + 1) % interval != 0 for i in range(count))
        if kind is Recurrent.WITHOUT_KV_HEADS:
            fed = self._fed_layers()
            heads = self.per_layer("attention.head_count_kv")
            return tuple(not has and not is_fed for has, is_fed in zip(heads, fed, strict=False))
        return (True,) * count

    def _fed_layers(self) -> tuple[bool, ...]:
        """Layers that are a feed-forward network and nothing else, as only Nemotron-H has them."""
        lengths = self.per_layer("feed_forward_length")
        if any(lengths) and not all(lengths):
            return tuple(bool(length) for length in lengths)
        return (False,) * self.number("block_count")

    def _state_bytes(self) -> int:
        """Of one layer, as llama.cpp's `n_embd_r` and `n_embd_s`."""
        width, kernel = self.number("embedding_length"), max(0, self.number("ssm.conv_kernel") - 1)
        heads = max(self.per_layer("attention.head_count"), default=0)
        kda = self.number("kda.head_dim")
        if self.number("shortconv.l_cache"):
            numbers = width * (self.number("shortconv.l_cache") - 1)
        elif kda:
            numbers = 3 * (kernel or 3) * heads * kda + kda * kda * heads
        elif self._header.architecture == "minimax-01":
            numbers = self.key_length() ** 2 * heads
        else:
            inner, keys = self._recurrent_widths()
            numbers = kernel * (inner + 2 * keys) + inner * self.number("ssm.state_size")
        return numbers * _STATE_BYTES

    def _sliding(self) -> tuple[bool, ...]:
        if not self.number("attention.sliding_window"):
            return (False,) * self.number("block_count")
        return tuple(bool(flag) for flag in self.per_layer("attention.sliding_window_pattern"))
