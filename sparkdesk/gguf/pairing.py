"""Do a target and a draft belong together, and if not, why: judged from their headers, and from rows of embeddings.

Every answer is one sentence or two that name both sides and say what to do; none when nothing speaks against the pair.
What llama.cpp does with a file that breaks a rule here is no error but nonsense, or the end of the process.
"""

import mmap
from enum import Enum
from typing import TYPE_CHECKING

from converters.regular_file import open_regular
from sparkdesk.gguf.architectures import Rollback, architecture_named
from sparkdesk.gguf.header import ArrayLength, GgufFile, TensorPlace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DRAFT_ARCHITECTURE = "dflash"
OLD_DRAFT_ARCHITECTURE = "dspark"
MOST_BLOCK = 256
_EAGLE3_LAYERS, _PADDED_COLUMNS = 3, 96
MOST_UNUSED_TOKENS = 1024
"""By how much the vocabulary of a small model may be padded differently: unused rows at its end."""
_LEAST_RELATED = 0.5
"""A row and its 2-bit quantization agree by .9 and more, rows of different models hardly at all."""
_ROW_COUNT = 256

EAGLE3_FEATURE_LAYERS = "sparkdesk.eagle3.feature_layers"
EAGLE3_Q_NORM, EAGLE3_K_NORM = "sparkdesk.eagle3.q_norm", "sparkdesk.eagle3.k_norm"
"""Keys of our own, as the converter writes them (converters/names.py)."""

_EMBEDDINGS, _HEAD, _DRAFT_TO_TARGET = "token_embd.weight", "output.weight", "d2t"
_FIRST_LAYER, _MTP_PART = "blk.0.attn_norm.weight", ".nextn."
_MARKOV = ("markov_w1.weight", "markov_w2.weight")
_PICK_DRAFT = "Pick a DSpark draft of this target, or a small model with the same vocabulary."
_PICK_TARGET = "Pick the target this draft was trained for."
_CONVERT_AGAIN = "Convert the draft again from its checkpoint: sparkdesk convert draft."


class DraftKind(Enum):
    """How a draft works, told by its header."""

    DSPARK = "dspark"
    """A block in one pass, from the target's layer inputs, with a Markov head."""
    DFLASH = "dflash"
    """The same without that head."""
    EAGLE3 = "eagle3"
    """Token by token, from three of the target's layer inputs."""
    ASSISTANT = "assistant"
    """Google's assistant for Gemma 4, token by token on the target's own cache."""
    MTP = "mtp"
    """The target's own MTP layer, in a file without the rest of it."""
    SMALL_MODEL = "small"
    """An ordinary model of the same vocabulary that drafts token by token."""


_KINDS = {
    DRAFT_ARCHITECTURE: DraftKind.DSPARK,
    OLD_DRAFT_ARCHITECTURE: DraftKind.DSPARK,
    "eagle3": DraftKind.EAGLE3,
    "gemma4-assistant": DraftKind.ASSISTANT,
}

DRAFT_ARCHITECTURES = frozenset(_KINDS)
"""Of files that are drafts and nothing else."""


def draft_kind(draft: GgufFile) -> DraftKind:
    kind = _KINDS.get(draft.architecture, DraftKind.SMALL_MODEL)
    if kind is DraftKind.SMALL_MODEL and _is_mtp_alone(draft):
        return DraftKind.MTP
    return DraftKind.DFLASH if kind is DraftKind.DSPARK and _MARKOV[0] not in draft.tensors else kind


def _is_mtp_alone(file: GgufFile) -> bool:
    """As llama.cpp tells it (`mtp_only`): layers that predict further tokens, and no first one.

    Of a model in several files, any one may lack the first layer.
    """
    predicts = _number(file, f"{file.architecture}.nextn_predict_layers") > 0
    if not predicts or _FIRST_LAYER in file.tensors or _number(file, "split.count") > 1:
        return False
    return any(_MTP_PART in name for name in file.tensors)


def target_problem(target: GgufFile) -> str:
    """Why a file cannot be a target: it is a draft. llama.cpp would load some of those and end the process later."""
    kind = draft_kind(target)
    if kind is DraftKind.SMALL_MODEL:
        return ""
    what = "holds nothing of its model but the MTP layer" if kind is DraftKind.MTP else "is a draft"
    return f"{target.path.name} {what} and cannot answer alone. Name it with --draft, and its target with --target."


def problem(target: GgufFile, draft: GgufFile) -> str:
    """Everything that can be known without loading the two; reads a few hundred rows where both carry embeddings."""
    found = header_problem(target, draft)
    if found or draft_kind(draft) is DraftKind.SMALL_MODEL:  # which has embeddings of its own, whatever their width
        return found
    return _embeddings(target, draft)


def header_problem(target: GgufFile, draft: GgufFile) -> str:
    """The part of it that the headers alone tell."""
    match draft_kind(draft):
        case DraftKind.SMALL_MODEL:
            return _small_model(target, draft)
        case DraftKind.EAGLE3:
            return _eagle3(target, draft)
        case DraftKind.ASSISTANT:
            return _assistant(target, draft)
        case DraftKind.MTP:
            return _mtp(target, draft)
        case DraftKind.DSPARK | DraftKind.DFLASH:
            return _dspark(target, draft)


def _dspark(target: GgufFile, draft: GgufFile) -> str:
    return draft_problem(draft) or (
        _layer_inputs(target)
        or _vocabulary(target, draft)
        or _features(target, draft)
        or layer_problem(target, target_layers(draft), _number(target, f"{target.architecture}.block_count"))
        or _mask(target, draft)
        or _output_head(target, draft)
    )


def draft_problem(draft: GgufFile) -> str:
    """What is wrong with the draft whatever its target."""
    if draft.architecture == OLD_DRAFT_ARCHITECTURE:
        return f"{draft.path.name} is in the early 'dspark' format that nothing loads any more. {_CONVERT_AGAIN}"
    if draft.architecture != DRAFT_ARCHITECTURE:
        return (
            f"{draft.path.name} is a '{draft.architecture}' model, not a DSpark draft (architecture 'dflash'). "
            "Pick the draft that was trained for this target."
        )
    return _missing_parts(draft) or _block(draft) or _heads(draft)


def block_size(draft: GgufFile) -> int:
    """Most rows of one pass whose logits are asked for; 0 for a draft that takes a pass for every token."""
    is_block = draft_kind(draft) in (DraftKind.DSPARK, DraftKind.DFLASH)
    return _number(draft, "dflash.block_size") if is_block else 0


def samples_from_anchor(draft: GgufFile) -> bool:
    """Whether the anchor's row predicts a token. Where a file does not say: if it has a Markov head, as llama.cpp."""
    stated = draft.metadata.get("dflash.sample_from_anchor")
    return stated if isinstance(stated, bool) else _MARKOV[0] in draft.tensors


def target_layers(draft: GgufFile) -> tuple[int, ...]:
    """The layers whose input the draft reads."""
    found = draft.metadata.get("dflash.target_layers")
    return tuple(int(layer) for layer in found.numbers) if isinstance(found, ArrayLength) else ()


def layer_problem(target: GgufFile, layers: tuple[int, ...], layer_count: int) -> str:
    """Layers a draft listens to that the target does not have would end the whole process."""
    end = layer_count + architecture_named(target.architecture).may_read_after_last_layer
    if not layers or max(layers) >= end or min(layers) < 0:
        wrong = next((layer for layer in layers if not 0 <= layer < end), 0)
        return (
            f"The draft listens to layer {wrong}; "
            f"the target {target.path.name} has {layer_count} layers. {_PICK_TARGET}"
        )
    return ""


def vocabulary_size(file: GgufFile) -> int:
    tokens = file.metadata.get("tokenizer.ggml.tokens")
    return tokens.count if isinstance(tokens, ArrayLength) else 0


def _eagle3(target: GgufFile, draft: GgufFile) -> str:
    ids = eagle3_layers(draft)
    is_ours = EAGLE3_FEATURE_LAYERS in draft.metadata
    if not ids or (len(ids) != _EAGLE3_LAYERS and not is_ours) or "fc.weight" not in draft.tensors:
        return (
            f"{draft.path.name} reads {len(ids)} layers of its target; llama.cpp runs EAGLE-3 drafts that read "
            f"{_EAGLE3_LAYERS}. {_PICK_DRAFT}"
        )
    heads = _number(draft, "eagle3.attention.key_length")
    if any(len(numbers_of(draft, key)) not in (0, heads) for key in (EAGLE3_Q_NORM, EAGLE3_K_NORM)):
        return f"The norms of queries and keys in {draft.path.name} are not as wide as its heads. {_CONVERT_AGAIN}"
    layer_count = _number(target, f"{target.architecture}.block_count")
    width = _number(target, f"{target.architecture}.embedding_length")
    wrong = next((layer for layer in ids if not 0 <= layer <= layer_count), None)
    if wrong is not None:
        return f"The draft listens to layer {wrong}; {target.path.name} has {layer_count} layers. {_PICK_TARGET}"
    columns = draft.tensors["fc.weight"].shape[0]
    wanted = columns // len(ids)
    # Where there are not three layers, the features are padded to what can be split in three of 32 and more.
    if wanted != width and not (is_ours and 0 <= columns - len(ids) * width < _PADDED_COLUMNS):
        return f"The draft reads layers of width {wanted}; {target.path.name} has width {width}. {_PICK_TARGET}"
    return _layer_inputs(target) or _vocabulary(target, draft)


def eagle3_layers(draft: GgufFile) -> tuple[int, ...]:
    """The layers whose input it reads, in an order of our own key where they are not three."""
    key = EAGLE3_FEATURE_LAYERS if EAGLE3_FEATURE_LAYERS in draft.metadata else "eagle3.target_layers"
    return tuple(int(layer) for layer in numbers_of(draft, key))


def numbers_of(file: GgufFile, key: str) -> tuple[float, ...]:
    """A list of numbers in the metadata; empty where there is none."""
    found = file.metadata.get(key)
    return tuple(map(float, found.numbers)) if isinstance(found, ArrayLength) else ()


def _assistant(target: GgufFile, draft: GgufFile) -> str:
    width = _number(target, f"{target.architecture}.embedding_length")
    wanted = _number(draft, f"{draft.architecture}.embedding_length_out")
    if target.architecture == "gemma4" and wanted == width:
        return ""
    return (
        f"{draft.path.name} is an assistant for a Gemma 4 target of width {wanted}; {target.path.name} is a "
        f"'{target.architecture}' model of width {width}. {_PICK_TARGET}"
    )


def _mtp(target: GgufFile, draft: GgufFile) -> str:
    """The layer reads what its own model's last layer says."""
    wanted, width = (_number(file, f"{file.architecture}.embedding_length") for file in (draft, target))
    if (draft.architecture, wanted) == (target.architecture, width):
        return _vocabulary(target, draft)
    return (
        f"{draft.path.name} is the MTP layer of a '{draft.architecture}' model of width {wanted}; {target.path.name} "
        f"is a '{target.architecture}' model of width {width}. {_PICK_TARGET}"
    )


def _small_model(target: GgufFile, draft: GgufFile) -> str:
    """The vocabularies themselves are compared once both are loaded."""
    called = f"{draft.path.name} is a '{draft.architecture}' model, not a DSpark draft"
    if _EMBEDDINGS not in draft.tensors:
        return f"{called}, and it has no token embeddings of its own. Pick the draft that was trained for this target."
    rollback = architecture_named(draft.architecture).rollback
    if rollback in (Rollback.RECURRENT_STATES, Rollback.CHECKPOINT):
        return (
            f"{draft.path.name} has recurrent layers ('{draft.architecture}'), which cannot be rolled back after every "
            f"token: it cannot draft. {_PICK_DRAFT}"
        )
    if _weights_bytes(draft) >= _weights_bytes(target):
        return f"{called}, and not smaller than the target {target.path.name}: it would only cost time. {_PICK_DRAFT}"
    target_size, draft_size = vocabulary_size(target), vocabulary_size(draft)
    if abs(target_size - draft_size) <= MOST_UNUSED_TOKENS:
        return ""
    return (
        f"{draft.path.name} has a vocabulary of {draft_size:,} tokens; the target {target.path.name} has "
        f"{target_size:,}. {_PICK_DRAFT}"
    )


def _weights_bytes(file: GgufFile) -> int:
    return sum(tensor.size_bytes for tensor in file.tensors.values())


def _missing_parts(draft: GgufFile) -> str:
    for key in ("dflash.block_size", "dflash.target_layers", "tokenizer.ggml.mask_token_id"):
        if key not in draft.metadata:
            return f"{draft.path.name} does not say its {key}. {_CONVERT_AGAIN}"
    if len(draft.tensors["fc.weight"].shape if "fc.weight" in draft.tensors else ()) != 2:
        return f"{draft.path.name} has no fc.weight and cannot read a target. {_CONVERT_AGAIN}"
    return ""


def _block(draft: GgufFile) -> str:
    size, least = _number(draft, "dflash.block_size"), 1 if samples_from_anchor(draft) else 2
    if least <= size <= MOST_BLOCK:
        return ""
    return (
        f"{draft.path.name} says a block of {size:,} tokens; a draft has {least} to {MOST_BLOCK}. "
        "Download it again, or convert it again from its checkpoint: sparkdesk convert draft."
    )


def _heads(draft: GgufFile) -> str:
    """A DSpark whose Markov head was lost on the way still loads, and guesses far worse."""
    found = [name in draft.tensors for name in _MARKOV]
    says_dspark = draft.metadata.get("dflash.has_confidence_head") is True or _number(draft, "dflash.markov_rank") > 0
    if any(found) and not all(found):
        missing = _MARKOV[found.index(False)]
        return f"{draft.path.name} has only half of its Markov head: {missing} is missing. {_CONVERT_AGAIN}"
    if not any(found) and (says_dspark or "conf_proj.weight" in draft.tensors):
        return f"{draft.path.name} says it is a DSpark draft, but its Markov head is missing. {_CONVERT_AGAIN}"
    shapes = [draft.tensors[name].shape for name in _MARKOV if name in draft.tensors]
    if any(len(shape) != 2 or shape[0] != shapes[0][0] for shape in shapes):
        return f"{draft.path.name} has a Markov head whose halves do not fit each other. {_CONVERT_AGAIN}"
    if _DRAFT_TO_TARGET in draft.tensors and _HEAD not in draft.tensors:
        return f"{draft.path.name} has a vocabulary of its own (d2t) but no output head for it. {_CONVERT_AGAIN}"
    return ""


def _layer_inputs(target: GgufFile) -> str:
    """llama.cpp ends the process where a graph is asked for what it does not give out."""
    if architecture_named(target.architecture).exposes_layer_inputs:
        return ""
    return (
        f"No DSpark draft can follow {target.path.name}: llama.cpp does not give out the layer inputs of a "
        f"'{target.architecture}' model. Use it without a draft, or choose a target such as Qwen3 or Gemma 4."
    )


def _vocabulary(target: GgufFile, draft: GgufFile) -> str:
    target_size, draft_size = vocabulary_size(target), vocabulary_size(draft)
    if target_size == draft_size:
        return ""
    if not draft_size:
        return (
            f"{draft.path.name} brings no tokenizer, and llama.cpp loads no draft without its target's. Download "
            "another file of it, or convert it from its checkpoint: sparkdesk convert draft."
        )
    return f"The draft expects {draft_size} tokens; the target {target.path.name} has {target_size}. {_PICK_TARGET}"


def _features(target: GgufFile, draft: GgufFile) -> str:
    layers = draft.metadata["dflash.target_layers"]
    layer_count = layers.count if isinstance(layers, ArrayLength) else 0
    width = _number(target, f"{target.architecture}.embedding_length")
    wanted = draft.tensors["fc.weight"].shape[0]
    if wanted == layer_count * width:
        return ""
    return (
        f"The draft reads {layer_count} layers of width {wanted // max(1, layer_count)}; "
        f"the target {target.path.name} has width {width}. {_PICK_TARGET}"
    )


def _mask(target: GgufFile, draft: GgufFile) -> str:
    mask, size = _number(draft, "tokenizer.ggml.mask_token_id"), vocabulary_size(target)
    if 0 <= mask < size:
        return ""
    return f"The draft's mask token is {mask:,}; the target {target.path.name} has {size:,} tokens. {_PICK_TARGET}"


def _output_head(target: GgufFile, draft: GgufFile) -> str:
    """llama.cpp takes embeddings without a head for both, also where the target has a head of its own."""
    if _EMBEDDINGS not in draft.tensors or _HEAD in draft.tensors or _HEAD not in target.tensors:
        return ""
    return (
        f"{draft.path.name} brings token embeddings without an output head, and the target {target.path.name} has a "
        "head of its own: llama.cpp would use the embeddings instead, and hardly a token would be right. "
        f"{_CONVERT_AGAIN}"
    )


def _embeddings(target: GgufFile, draft: GgufFile) -> str:
    """Drafts start from their target's embeddings; those of another model have nothing in common with them."""
    if _EMBEDDINGS not in draft.tensors or _EMBEDDINGS not in target.tensors:
        return ""
    agreement = _row_agreement(target, draft, _EMBEDDINGS)
    if agreement is None or agreement >= _LEAST_RELATED:
        return ""
    return (
        f"The token embeddings in {draft.path.name} are not those of the target {target.path.name}: their rows agree "
        f"by {max(0.0, agreement):.0%}, as those of two different models do. {_PICK_TARGET}"
    )


def _row_agreement(first: GgufFile, second: GgufFile, tensor: str) -> float | None:
    """The median cosine of a few hundred rows; None where they cannot be compared."""
    import numpy as np  # with gguf, for the few that need it

    places = first.tensors[tensor], second.tensors[tensor]
    if len(places[0].shape) != 2 or places[0].shape != places[1].shape or not all(place.size_bytes for place in places):
        return None
    count = places[0].shape[1]
    ids = np.unique(np.linspace(0, count - 1, min(_ROW_COUNT, count)).astype(np.intp))
    try:
        a, b = (_rows(file, place, ids).astype(np.float64) for file, place in zip((first, second), places, strict=True))
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError):
        return None
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)  # (rows,)
    return float(np.median(np.divide((a * b).sum(1), lengths, out=np.ones_like(lengths), where=lengths > 0)))


def _rows(file: GgufFile, place: TensorPlace, ids: "NDArray[np.intp]") -> "NDArray[np.float32]":
    import numpy as np
    from gguf import GGMLQuantizationType, quants

    with open_regular(file.path) as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        # One by one: a view of the mapping would keep it from being closed.
        starts = [place.offset + int(i) * place.row_bytes for i in ids]
        packed = b"".join(data[start : start + place.row_bytes] for start in starts)
    stored = np.frombuffer(packed, np.uint8).reshape(len(ids), place.row_bytes)
    kind = GGMLQuantizationType(place.ggml_type)
    rows: NDArray[np.float32] = quants.dequantize(stored, kind)
    return rows


def _number(file: GgufFile, key: str) -> int:
    """-1 where there is none."""
    found = file.metadata.get(key)
    return found if type(found) is int else -1
