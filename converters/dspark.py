"""Qwen3 DSpark drafts (`Qwen3DSparkModel`): a few layers, a feature projection, a Markov and a confidence head."""

from collections.abc import Iterator

from converters import names
from converters.card import origin_entries
from converters.checkpoint import Checkpoint
from converters.config import Config
from converters.errors import PairMismatch, UnsupportedModel
from converters.metadata import Entry, flag, i32_list, u32
from converters.plan import FilePlan, PlannedTensor, exact, matrix
from converters.qwen3 import layer_tensors, shape_entries
from converters.shared_rows import is_copy, sample_ids
from converters.target import Target

_EMBEDDINGS, _HEAD = "embed_tokens.weight", "lm_head.weight"


def plan_draft(checkpoint: Checkpoint, target: Target, *, encoding: str) -> FilePlan:
    config = checkpoint.config
    _refuse_variants(config)
    _check_pair(config, target)
    entries = (
        *origin_entries(checkpoint),
        *shape_entries(config, names.DFLASH),
        *_draft_entries(config),
        *_tokenizer_entries(config, target),
    )
    tensors = (
        *_shared_tensors(checkpoint, target, encoding=encoding),
        *_outer_tensors(checkpoint, encoding),
        *layer_tensors(checkpoint, encoding, prefix=""),
    )
    checkpoint.refuse_others({tensor.source.name for tensor in tensors} | {_EMBEDDINGS, _HEAD})
    return FilePlan(names.DFLASH, entries, tensors)


def _refuse_variants(config: Config) -> None:
    head = config.text("markov_head_type", "vanilla").lower()
    if config.raw("markov_rank") == 0 or head != "vanilla":
        kind = "no Markov head" if config.raw("markov_rank") == 0 else f"a Markov head of type {head!r}"
        raise UnsupportedModel(f"The draft has {kind}; llama.cpp runs only the vanilla one.")
    if _has_confidence_head(config) and not config.flag("confidence_head_with_markov", default=True):
        raise UnsupportedModel("The draft's confidence head reads no Markov feature; llama.cpp expects one.")


def _has_confidence_head(config: Config) -> bool:
    return config.flag("enable_confidence_head", default=True)


def _target_layers(config: Config) -> tuple[int, ...]:
    """The layers whose output the draft reads; -1 means the embeddings, which enter layer 0."""
    return config.indices("target_layer_ids", least=-1)


def _check_pair(config: Config, target: Target) -> None:
    for what, ours, theirs in (
        ("a vocabulary of {:,} tokens", config.count("vocab_size"), target.vocab_size),
        ("a hidden size of {:,}", config.count("hidden_size"), target.hidden_size),
        ("{:,} target layers", config.count("num_target_layers", target.layer_count), target.layer_count),
    ):
        if ours != theirs:
            raise PairMismatch(
                f"The draft expects {what.format(ours)}; the target has {theirs:,}.",
                hint="Pick the target this draft was trained for.",
            )
    last = max(_target_layers(config))
    if last + 1 >= target.layer_count:
        # What llama.cpp hands over is the input of the next layer, and after the last there is none: it aborts.
        raise PairMismatch(
            f"The draft reads target layer {last}; llama.cpp can hand over layers 0 to {target.layer_count - 2} "
            f"of this target's {target.layer_count}."
        )
    if config.index("mask_token_id") >= target.vocab_size:
        raise PairMismatch(f"The draft's mask token {config.index('mask_token_id'):,} is not in the vocabulary.")


def _draft_entries(config: Config) -> tuple[Entry, ...]:
    return (
        u32(names.BLOCK_SIZE, config.count("block_size")),
        # DeepSpec counts a layer's output, llama.cpp the input of the layer after it.
        i32_list(names.TARGET_LAYERS, [layer + 1 for layer in _target_layers(config)]),
        flag(names.SAMPLE_FROM_ANCHOR, True),
        flag(names.HAS_CONFIDENCE_HEAD, _has_confidence_head(config)),
    )


def _tokenizer_entries(config: Config, target: Target) -> tuple[Entry, ...]:
    theirs = (entry for entry in target.tokenizer_entries() if entry.key != names.MASK_ID)
    return (*theirs, u32(names.MASK_ID, config.index("mask_token_id")))


def _shared_tensors(checkpoint: Checkpoint, target: Target, *, encoding: str) -> tuple[PlannedTensor, ...]:
    """Embeddings and head: both where they are the draft's own, neither where they are the target's.

    With one of them alone llama.cpp would use it as the other, and the draft would guess nonsense.
    """
    if _EMBEDDINGS not in checkpoint.tensors and _HEAD not in checkpoint.tensors:
        return ()
    shape = checkpoint.config.count("vocab_size"), checkpoint.config.count("hidden_size")
    embeddings = checkpoint.tensor(_EMBEDDINGS, *shape)
    is_head_stored = _HEAD in checkpoint.tensors or not checkpoint.config.flag("tie_word_embeddings", default=False)
    head = checkpoint.tensor(_HEAD if is_head_stored else _EMBEDDINGS, *shape)
    ids = sample_ids(target.vocab_size, [checkpoint.config.index("mask_token_id")])
    are_copies = [
        is_copy(tensor, rows_of_target, ids=ids, target_is_exact=target.is_exact)
        for tensor, rows_of_target in ((embeddings, target.embedding_rows), (head, target.head_rows))
    ]
    if all(are_copies):
        return ()
    return matrix(names.TOKEN_EMBEDDINGS, embeddings, encoding), matrix(names.OUTPUT_HEAD, head, encoding)


def _outer_tensors(checkpoint: Checkpoint, encoding: str) -> Iterator[PlannedTensor]:
    config = checkpoint.config
    vocab, hidden, rank = config.count("vocab_size"), config.count("hidden_size"), config.count("markov_rank")
    features = len(_target_layers(config)) * hidden
    yield matrix(names.FEATURE_PROJECTION, checkpoint.tensor("fc.weight", hidden, features), encoding)
    yield exact(names.FEATURE_NORM, checkpoint.tensor("hidden_norm.weight", hidden))
    yield exact(names.OUTPUT_NORM, checkpoint.tensor("norm.weight", hidden))
    yield matrix(names.MARKOV_W1, checkpoint.tensor("markov_head.markov_w1.weight", vocab, rank), encoding)
    yield matrix(names.MARKOV_W2, checkpoint.tensor("markov_head.markov_w2.weight", vocab, rank), encoding)
    if _has_confidence_head(config):
        proj = "confidence_head.proj"
        yield exact(names.CONFIDENCE_WEIGHT, checkpoint.tensor(f"{proj}.weight", 1, hidden + rank))
        yield exact(names.CONFIDENCE_BIAS, checkpoint.tensor(f"{proj}.bias", 1))
