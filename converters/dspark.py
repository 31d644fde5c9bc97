"""Drafts over a Qwen3 backbone, and what drafts over any backbone are made of: DSpark, and DFlash without its heads."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from converters import names
from converters.checkpoint import Checkpoint
from converters.draft_config import DraftConfig, read_draft_config
from converters.errors import BadCheckpoint, PairMismatch
from converters.names import Entry, flag, i32_list, u32
from converters.origin import draft_origin_entries
from converters.plan import FilePlan, PlannedTensor, exact, matrix, to_f32
from converters.qwen3 import layer_tensors, shape_entries
from converters.safetensors import StoredTensor
from converters.target import Target

_ROW_COUNT = 256
# A row and its BF16 or F16 rounding agree to five nines, its 2-bit quantization to about .96,
# and rows of two different models not at all. A fine-tuned copy is told from a frozen one only
# where the target is not quantized.
_SAME_WHEN_EXACT = 0.9999
_SAME_WHEN_QUANTIZED = 0.9
_LEAST_RELATED = 0.5

RowsOf = Callable[[Sequence[int]], NDArray[np.float32]]


def sample_ids(vocab_size: int, special_ids: Sequence[int]) -> list[int]:
    """Rows all over the vocabulary, and those most likely to have been trained apart."""
    spread = np.linspace(0, vocab_size - 1, min(_ROW_COUNT, vocab_size)).astype(int).tolist()
    return sorted({*spread, *special_ids})


def check_related(of_draft: StoredTensor, rows_of_target: RowsOf, *, ids: Sequence[int]) -> None:
    """Raises PairMismatch where the rows of the two point in unrelated directions: embeddings of different models.

    Drafts start from their target's embeddings and mostly keep them; a trained apart copy still resembles them.
    """
    theirs = rows_of_target(ids).astype(np.float64)  # (rows, hidden)
    ours = to_f32(of_draft.values[list(ids)], of_draft.dtype).astype(np.float64)  # (rows, hidden)
    related = float(np.median(_cosine(ours, theirs)))
    if related < _LEAST_RELATED:
        raise PairMismatch(
            f"The draft's token embeddings are not this target's: rows of the two agree by {max(0.0, related):.0%}, "
            "as those of two different models do.",
            hint="Pick the target this draft was trained for.",
        )


def is_copy(of_draft: StoredTensor, rows_of_target: RowsOf, *, ids: Sequence[int], target_is_exact: bool) -> bool:
    theirs = rows_of_target(ids).astype(np.float64)  # (rows, hidden)
    ours = to_f32(of_draft.values[list(ids)], of_draft.dtype).astype(np.float64)  # (rows, hidden)
    limit = _SAME_WHEN_EXACT if target_is_exact else _SAME_WHEN_QUANTIZED
    return bool(((_similarity(ours, theirs) >= limit) | _are_both_empty(ours, theirs)).all())


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)  # (rows,)
    cosine: NDArray[np.float64] = np.divide((a * b).sum(1), lengths, out=np.ones_like(lengths), where=lengths > 0)
    return cosine


def _similarity(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """One where two rows are equal, falling with both angle and difference in length: 2ab / (aa + bb)."""
    both = (a * a).sum(1) + (b * b).sum(1)  # (rows,)
    similarity: NDArray[np.float64] = np.divide(2 * (a * b).sum(1), both, out=np.ones_like(both), where=both > 0)
    return similarity


def _are_both_empty(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.bool_]:
    # Rows of unused tokens can be so small that quantization keeps nothing of them.
    size_a, size_b = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)  # (rows,)
    both_empty: NDArray[np.bool_] = (size_a < 1e-3 * np.median(size_a)) & (size_b < 1e-3 * np.median(size_b))
    return both_empty


_DISTANCES, _FLAGS = "d2t", "t2d"
MAPPINGS = {_DISTANCES, _FLAGS}
_TYPES = {"I64": "<i8", "I32": "<i4"}


def target_ids(checkpoint: Checkpoint, *, draft: int, target: int) -> NDArray[np.int64]:
    """(draft,) the target's token of every row. Raises BadCheckpoint where the table makes no sense."""
    stored = checkpoint.tensors.get(_DISTANCES)
    if stored is None:
        raise BadCheckpoint(f"The draft has {draft:,} of the target's {target:,} tokens, and no table d2t of which.")
    ids = _numbers(stored) + np.arange(len(_numbers(stored)))  # (draft,)
    if len(ids) != draft or len(np.unique(ids)) != draft or ids.min() < 0 or ids.max() >= target:
        raise BadCheckpoint(f"The draft's table d2t does not name {draft:,} different tokens of {target:,}.")
    flags = checkpoint.tensors.get(_FLAGS)
    if flags is not None and not np.array_equal(np.flatnonzero(np.asarray(flags.values)), np.sort(ids)):
        raise BadCheckpoint("The draft's tables d2t and t2d contradict each other.")
    return ids.astype("<i8")


def _numbers(stored: StoredTensor) -> NDArray[np.int64]:
    if stored.dtype not in _TYPES:
        raise BadCheckpoint(f"The draft's table d2t is stored as {stored.dtype}, not as whole numbers.")
    # Types no weight has are mapped as bytes.
    return np.frombuffer(stored.values.tobytes(), _TYPES[stored.dtype]).astype(np.int64)


_EMBEDDINGS, _HEAD = "embed_tokens.weight", "lm_head.weight"
# The target's own, which speculators' training kept beside the draft and its inference never reads.
_NOT_THE_DRAFTS = {"verifier_norm.weight", "verifier_lm_head.weight"}
_MOST_BLOCK = 256


def plan_draft(checkpoint: Checkpoint, target: Target, *, encoding: str) -> FilePlan:
    config = read_draft_config(checkpoint.config)
    check_pair(config, target)
    backbone = Backbone(
        shape_entries(config.backbone, names.DFLASH),
        layer_tensors(replace(checkpoint, config=config.backbone), encoding, prefix=""),
    )
    return plan_over(backbone, checkpoint, target, config, encoding=encoding)


@dataclass(frozen=True, slots=True)
class Backbone:
    """What of a draft's file depends on the kind of its layers."""

    entries: Iterable[Entry]
    tensors: Iterable[PlannedTensor]


def plan_over(
    backbone: Backbone, checkpoint: Checkpoint, target: Target, config: DraftConfig, *, encoding: str
) -> FilePlan:
    source = _Source(checkpoint, config)
    entries = (
        *draft_origin_entries(checkpoint, target.origin, kind=config.kind, trained_for=config.trained_for),
        *backbone.entries,
        *draft_entries(config),
        *tokenizer_entries(config, target),
    )
    tensors = (
        *_shared_tensors(source, target, encoding=encoding),
        *_outer_tensors(source, encoding),
        *_heads(source, encoding),
        *backbone.tensors,
    )
    known = {tensor.source.name for tensor in tensors} | {_EMBEDDINGS, _HEAD, *_NOT_THE_DRAFTS, *MAPPINGS}
    checkpoint.refuse_others(known | _left_out(config))
    return FilePlan(names.DFLASH, entries, tensors)


@dataclass(frozen=True, slots=True)
class _Source:
    checkpoint: Checkpoint
    config: DraftConfig

    @property
    def is_reduced(self) -> bool:
        """Whether it can propose only some of the target's tokens."""
        return self.config.draft_vocab_size != self.config.vocab_size

    def tensor(self, name: str, *shape: int) -> StoredTensor:
        return self.checkpoint.tensor(name, *shape)


def check_pair(config: DraftConfig, target: Target) -> None:
    """Raises PairMismatch where the draft's config and the target's shape contradict each other."""
    for what, ours, theirs in (
        ("a vocabulary of {:,} tokens", config.vocab_size, target.vocab_size),
        ("a hidden size of {:,}", config.hidden_size, target.hidden_size),
        ("{:,} target layers", config.target_layer_count or target.layer_count, target.layer_count),
    ):
        if ours != theirs:
            raise PairMismatch(
                f"The draft expects {what.format(ours)}; the target has {theirs:,}.",
                hint="Pick the target this draft was trained for.",
            )
    last = max(config.target_layers)
    if last >= target.layer_count:
        # What llama.cpp hands over is the input of a layer, and behind the last there is none: it aborts.
        raise PairMismatch(
            f"The draft reads target layer {last - 1}; llama.cpp can hand over layers 0 to {target.layer_count - 2} "
            f"of this target's {target.layer_count}."
        )
    if config.mask_token >= target.vocab_size:
        raise PairMismatch(f"The draft's mask token {config.mask_token:,} is not in the vocabulary.")
    least = 1 if config.samples_from_anchor else 2
    if not least <= config.block_size <= _MOST_BLOCK:
        raise PairMismatch(f"The draft's block of {config.block_size:,} is not between {least} and {_MOST_BLOCK}.")


def draft_entries(config: DraftConfig) -> tuple[Entry, ...]:
    return (
        u32(names.BLOCK_SIZE, config.block_size),
        i32_list(names.TARGET_LAYERS, config.target_layers),
        flag(names.SAMPLE_FROM_ANCHOR, config.samples_from_anchor),
        flag(names.HAS_CONFIDENCE_HEAD, config.writes_confidence_head),
    )


def tokenizer_entries(config: DraftConfig, target: Target) -> tuple[Entry, ...]:
    theirs = (entry for entry in target.tokenizer_entries() if entry.key != names.MASK_ID)
    return (*theirs, u32(names.MASK_ID, config.mask_token))


def _shared_tensors(source: _Source, target: Target, *, encoding: str) -> tuple[PlannedTensor, ...]:
    """Embeddings and head: both where they are the draft's own, neither where they are the target's.

    With embeddings alone llama.cpp would use them as the head too, and the draft would guess nonsense. A head alone is
    sound, and what a draft with a reduced vocabulary needs.
    """
    if source.is_reduced:
        return _reduced_tensors(source, target, encoding=encoding)
    tensors, config = source.checkpoint.tensors, source.config
    if _EMBEDDINGS not in tensors and _HEAD not in tensors:
        return ()
    shape = config.vocab_size, config.hidden_size
    embeddings = source.tensor(_EMBEDDINGS, *shape)
    is_head_stored = _HEAD in tensors or not config.backbone.flag("tie_word_embeddings", default=False)
    head = source.tensor(_HEAD if is_head_stored else _EMBEDDINGS, *shape)
    if _are_the_targets(source, embeddings, target) and _is_the_targets(source, head, target):
        return ()
    return matrix(names.TOKEN_EMBEDDINGS, embeddings, encoding), matrix(names.OUTPUT_HEAD, head, encoding)


def _reduced_tensors(source: _Source, target: Target, *, encoding: str) -> tuple[PlannedTensor, ...]:
    """The head of the tokens it can propose, and which tokens those are; llama.cpp gives the others no chance."""
    config, tensors = source.config, source.checkpoint.tensors
    ids = target_ids(source.checkpoint, draft=config.draft_vocab_size, target=config.vocab_size)
    head = source.tensor(_HEAD, config.draft_vocab_size, config.hidden_size)
    own: tuple[PlannedTensor, ...] = ()
    if _EMBEDDINGS in tensors:
        embeddings = source.tensor(_EMBEDDINGS, config.vocab_size, config.hidden_size)
        if not _are_the_targets(source, embeddings, target):
            own = (matrix(names.TOKEN_EMBEDDINGS, embeddings, encoding),)
    return (
        *own,
        matrix(names.OUTPUT_HEAD, head, encoding),
        PlannedTensor(names.DRAFT_TO_TARGET, StoredTensor("d2t", "I64", ids), "I64"),
    )


def _are_the_targets(source: _Source, embeddings: StoredTensor, target: Target) -> bool:
    """Whether they are copies. Raises PairMismatch where they are those of another model altogether."""
    ids = sample_ids(target.vocab_size, [source.config.mask_token])
    check_related(embeddings, target.embedding_rows, ids=ids)
    return is_copy(embeddings, target.embedding_rows, ids=ids, target_is_exact=target.is_exact)


def _is_the_targets(source: _Source, head: StoredTensor, target: Target) -> bool:
    ids = sample_ids(target.vocab_size, [source.config.mask_token])
    return is_copy(head, target.head_rows, ids=ids, target_is_exact=target.is_exact)


def _outer_tensors(source: _Source, encoding: str) -> Iterator[PlannedTensor]:
    hidden, features = source.config.hidden_size, len(source.config.target_layers) * source.config.hidden_size
    yield matrix(names.FEATURE_PROJECTION, source.tensor("fc.weight", hidden, features), encoding)
    yield exact(names.FEATURE_NORM, source.tensor("hidden_norm.weight", hidden))
    yield exact(names.OUTPUT_NORM, source.tensor("norm.weight", hidden))


def _heads(source: _Source, encoding: str) -> Iterator[PlannedTensor]:
    config = source.config
    if not config.markov_rank:
        return
    before = source.tensor("markov_head.markov_w1.weight", config.vocab_size, config.markov_rank)
    after = source.tensor("markov_head.markov_w2.weight", config.draft_vocab_size, config.markov_rank)
    yield matrix(names.MARKOV_W1, before, encoding)
    yield matrix(names.MARKOV_W2, after, encoding)
    if config.writes_confidence_head:
        yield exact(names.CONFIDENCE_WEIGHT, _confidence_weight(source))
        yield exact(names.CONFIDENCE_BIAS, source.tensor("confidence_head.proj.bias", 1))


def _confidence_weight(source: _Source) -> StoredTensor:
    """(1, hidden + rank). llama.cpp always shows the head the Markov feature; where it was not to see it, by zeros."""
    config, name = source.config, "confidence_head.proj.weight"
    if config.confidence_reads_markov:
        return source.tensor(name, 1, config.hidden_size + config.markov_rank)
    stored = source.tensor(name, 1, config.hidden_size)
    unseen = np.zeros((1, config.markov_rank), np.float32)
    return StoredTensor(name, "F32", np.concatenate([to_f32(stored.values, stored.dtype), unseen], axis=1))


def _left_out(config: DraftConfig) -> set[str]:
    if config.has_confidence_head and not config.writes_confidence_head:
        return {"confidence_head.proj.weight", "confidence_head.proj.bias"}
    return set()
