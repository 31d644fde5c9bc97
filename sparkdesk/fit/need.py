"""How much memory a pair takes at a context, on the graphics card and beside it; pure arithmetic.

Follows what llama.cpp allocates: caches padded to 256 tokens, and for each context a compute buffer that
holds the attention mask, the logits it may be asked for and the widest layer's numbers. Checked by bench/memory.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sparkdesk.fit.model_size import MTP, ROLLBACK_STATES, ModelSize

BATCH_ROWS = 512
"""Rows in one pass of the target; the engine's own, as all of these."""
DRAFT_STEP_ROWS = 128
"""Rows in one pass of the draft, whose graph computes the logits of all."""
VERIFIED_ROWS = 17
"""Rows of logits that the engine has the target's context reserve, at least."""
MOST_CHECKPOINTS = 4
"""Recurrent states put aside on the host."""
F16, Q8_0, Q4_0 = "f16", "q8_0", "q4_0"
CACHE_TYPES = {F16: (1, 1), Q8_0: (34, 64), Q4_0: (18, 64)}
"""Bytes against float16, as fractions: blocks of 32 numbers with a scale."""
_PADDING = 256
_FLOAT, _HALF = 4, 2
_SWIGLU_COPIES = 4  # of the feed-forward's numbers that live at once
TARGET, DRAFT = "target", "draft"


@dataclass(frozen=True, slots=True)
class _Work:
    """What a kind of draft asks of its context."""

    tokens: int
    """Beyond the target's context."""
    rows: int
    outputs: int
    """Rows of logits that are reserved."""
    hidden_rows: int = 0
    """Rows of the target's hidden states that are held for it."""


_STEPS, _MTP_STEPS, _ASSISTANT_ROWS = 7, 4, 16
_WORK = {
    "eagle3": _Work(_STEPS, DRAFT_STEP_ROWS, DRAFT_STEP_ROWS),
    "small": _Work(_STEPS, DRAFT_STEP_ROWS, 1),
    "assistant": _Work(0, _ASSISTANT_ROWS, 1, hidden_rows=BATCH_ROWS),
    MTP: _Work(_MTP_STEPS, DRAFT_STEP_ROWS, DRAFT_STEP_ROWS, hidden_rows=BATCH_ROWS),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that takes room."""

    owner: str
    """ "target" or "draft"."""
    kind: str
    """ "weights", "cache", "states", "checkpoints", "compute", "features"."""
    gpu_bytes: int = 0
    host_bytes: int = 0

    @property
    def size_bytes(self) -> int:
        return self.gpu_bytes + self.host_bytes


@dataclass(frozen=True, slots=True)
class Need:
    parts: tuple[Part, ...]

    @property
    def gpu_bytes(self) -> int:
        return sum(part.gpu_bytes for part in self.parts)

    @property
    def host_bytes(self) -> int:
        return sum(part.host_bytes for part in self.parts)

    @property
    def total_bytes(self) -> int:
        return self.gpu_bytes + self.host_bytes

    def of(self, kind: str, owner: str = "") -> int:
        return sum(part.size_bytes for part in self.parts if part.kind == kind and owner in ("", part.owner))


@dataclass(frozen=True, slots=True)
class Layout:
    """How a pair is put into memory."""

    context_tokens: int
    gpu_layers: int = 0
    """As llama.cpp counts: the last layers go to the card first, and the output head is one of them."""
    draft_gpu_layers: int | None = None
    """None: the draft lies on the card as a whole where any of the target does."""
    keeps_whole_window: bool = True
    cpu_experts: int = 0
    """So many of the first layers leave the weights of their experts with the processor."""
    cache_type: str = F16
    """Of the target's KV cache; a draft's is always in float16."""
    rollback_states: int = ROLLBACK_STATES
    """Earlier states that recurrent layers keep beside the current one."""


def need_of(target: ModelSize, draft: ModelSize | None, layout: Layout) -> Need:
    taps = draft.tapped_layers if draft is not None else 0
    context_tokens, gpu_layers = layout.context_tokens, layout.gpu_layers
    parts = [
        _target_weights(target, layout),
        _target_cache(target, layout),
        *_states(target, layout),
        *_compute(TARGET, target, context_tokens, gpu_layers, taps=taps, states=1 + _earlier_states(target, layout)),
    ]
    if draft is not None:
        everything = len(draft.layers) + 1 if gpu_layers else 0
        on_gpu = everything if layout.draft_gpu_layers is None else layout.draft_gpu_layers
        work = _WORK.get(draft.drafts_as) or _Work(draft.block_size, DRAFT_STEP_ROWS, DRAFT_STEP_ROWS)
        draft_tokens = context_tokens + work.tokens
        parts += [
            _weights(DRAFT, draft, on_gpu),
            _cache(DRAFT, draft, [padded(draft_tokens) * each.kv_bytes_per_token for each in draft.layers], on_gpu),
            *_compute(DRAFT, draft, draft_tokens, on_gpu, work=work, vocabulary=target.vocabulary),
            Part(DRAFT, "features", host_bytes=_feature_bytes(target, draft, context_tokens, work)),
        ]
    return Need(tuple(parts))


def _feature_bytes(target: ModelSize, draft: ModelSize, context_tokens: int, work: _Work) -> int:
    """Of what the draft follows: the rows of a pass, and all that may wait."""
    waits = draft.tapped_layers + (draft.drafts_as == MTP)
    passed = draft.tapped_layers * BATCH_ROWS + work.hidden_rows
    return target.width * (passed * _FLOAT + waits * context_tokens * _HALF)


def offloaded(model: ModelSize, gpu_layers: int) -> range:
    """The layers that lie on the card."""
    count = len(model.layers)
    return range(max(0, count + 1 - gpu_layers), count) if gpu_layers > 0 else range(count, count)


def padded(tokens: int) -> int:
    return -(-tokens // _PADDING) * _PADDING


def _weights(owner: str, model: ModelSize, gpu_layers: int) -> Part:
    on_gpu = sum(model.layer_bytes[i] for i in offloaded(model, gpu_layers))
    on_host = sum(model.layer_bytes) - on_gpu + model.embedding_bytes
    if gpu_layers > 0:
        on_gpu += model.output_bytes + (model.embedding_bytes if model.is_tied else 0)
    else:
        on_host += model.output_bytes
    return Part(owner, "weights", on_gpu, on_host)


def _target_weights(model: ModelSize, layout: Layout) -> Part:
    whole, gpu = _weights(TARGET, model, layout.gpu_layers), offloaded(model, layout.gpu_layers)
    moved = sum(model.layers[i].expert_bytes for i in gpu if i < layout.cpu_experts)
    return replace(whole, gpu_bytes=whole.gpu_bytes - moved, host_bytes=whole.host_bytes + moved)


def _target_cache(model: ModelSize, layout: Layout) -> Part:
    whole = padded(layout.context_tokens)
    is_short = not layout.keeps_whole_window and model.window
    short = min(whole, padded(model.window + BATCH_ROWS)) if is_short else whole
    numerator, denominator = CACHE_TYPES[layout.cache_type]
    sizes = [
        (short if layer.is_sliding else whole) * layer.kv_bytes_per_token * numerator // denominator
        for layer in model.layers
    ]
    return _cache(TARGET, model, sizes, layout.gpu_layers)


def _cache(owner: str, model: ModelSize, sizes: Sequence[int], gpu_layers: int) -> Part:
    on_gpu = sum(sizes[i] for i in offloaded(model, gpu_layers))
    return Part(owner, "cache", on_gpu, sum(sizes) - on_gpu)


def _states(model: ModelSize, layout: Layout) -> Iterator[Part]:
    """The recurrent layers' states, and the checkpoints of them that the engine puts aside on the host."""
    if model.state_bytes:
        kept = [(1 + _earlier_states(model, layout)) * layer.state_bytes for layer in model.layers]
        on_gpu = sum(kept[i] for i in offloaded(model, layout.gpu_layers))
        yield Part(TARGET, "states", on_gpu, sum(kept) - on_gpu)
        yield Part(TARGET, "checkpoints", host_bytes=MOST_CHECKPOINTS * model.state_bytes)


def _earlier_states(model: ModelSize, layout: Layout) -> int:
    return min(layout.rollback_states, model.most_rollback_states)


def _compute(
    owner: str,
    model: ModelSize,
    tokens: int,
    gpu_layers: int,
    *,
    taps: int = 0,
    work: _Work | None = None,
    states: int = 1,
    vocabulary: int = 0,
) -> tuple[Part, ...]:
    rows = min(work.rows if work is not None else BATCH_ROWS, padded(tokens))
    masks = 2 if model.window else 1
    mask = masks * rows * padded(tokens) * _HALF
    row = rows * _FLOAT
    outputs = min(rows, work.outputs if work is not None else VERIFIED_ROWS)
    # A reduced head's logits are spread out over the whole vocabulary.
    logits = (
        outputs * _FLOAT * ((vocabulary or model.vocabulary) + 2 * model.reduced_vocabulary) + 2 * row * model.width
    )
    kv = max((layer.kv_bytes_per_token // _HALF for layer in model.layers), default=0)
    layer = row * max(
        model.width + _SWIGLU_COPIES * model.feed_forward, model.width + 2 * model.attention + kv
    )  # whichever step is the widest
    if model.recurrent:
        layer = max(layer, row * model.recurrent + states * max(each.state_bytes for each in model.layers))
    tapped = row * taps * model.width
    keeps_mask = bool(taps) or model.drafts_as == MTP  # until the logits are there
    working = mask + tapped + max(logits, layer) if keeps_mask else max(logits, mask + layer)
    if gpu_layers <= 0:
        return (Part(owner, "compute", host_bytes=working),)
    # The inputs are prepared on the host; layers that stay there need room of their own.
    is_split = len(offloaded(model, gpu_layers)) < len(model.layers)
    return (Part(owner, "compute", working, mask + row * model.width + (layer if is_split else 0)),)
