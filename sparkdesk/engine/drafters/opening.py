"""From a draft's file and loaded weights to the drafter of its kind."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sparkdesk.engine.drafters import eagle3, mtp
from sparkdesk.engine.drafters.assistant import AssistantDrafter
from sparkdesk.engine.drafters.dspark import CONFIDENCE_WEIGHT, LOGIT_CAP, DSparkDrafter
from sparkdesk.engine.drafters.eagle3 import Eagle3Drafter
from sparkdesk.engine.drafters.mtp import MtpDrafter
from sparkdesk.engine.drafters.small_model import BLOCK_SIZE, SmallModelDrafter
from sparkdesk.engine.interfaces import DRAFT_STEP_ROWS, DrafterPart
from sparkdesk.engine.llama import KEYS, QUERIES, Context, GraphNorm, Model
from sparkdesk.engine.markov import W1, MarkovHead
from sparkdesk.gguf import pairing
from sparkdesk.gguf.header import GgufFile
from sparkdesk.gguf.pairing import DraftKind


class DraftUnfit(Exception):
    """The draft cannot be used with this target; the text says why."""


@dataclass(frozen=True, slots=True)
class DraftPlace:
    """Where a draft is opened: beside which target, and how a context is made."""

    target_file: GgufFile
    target_model: Model
    target: Context
    open_context: Callable[..., Context]
    """Of the pair, which closes it again; see Pair._open_context."""


@dataclass(frozen=True, slots=True)
class OpenedDraft:
    drafter: DrafterPart | None = None
    target_layers: tuple[int, ...] = ()
    """Layers of the target whose inputs have to be kept for it."""
    needs_hidden_rows: bool = False
    """Whether the target has to give out what its last layer says of every row."""


def open_drafter(file: GgufFile, model: Model, place: DraftPlace) -> OpenedDraft:
    """Raises DraftUnfit where it does not belong to the target, EngineError where there is no room for it."""
    match pairing.draft_kind(file):
        case DraftKind.SMALL_MODEL:
            return _small_model(model, place)
        case DraftKind.EAGLE3:
            return _eagle3(file, model, place)
        case DraftKind.ASSISTANT:
            return _assistant(model, place)
        case DraftKind.MTP:
            return _mtp(model, place)
        case DraftKind.DSPARK | DraftKind.DFLASH:
            return _dspark(file, model, place)


def open_mtp(place: DraftPlace) -> OpenedDraft:
    """The target's own layer drafts. Raises DraftUnfit where it has none."""
    model = place.target_model
    if not model.mtp_layer_count:
        raise DraftUnfit(
            f"{model.path.name} has no multi-token prediction layer. Use a file that was converted with it, or another "
            "drafter."
        )
    return _mtp(model, place)


def _mtp(model: Model, place: DraftPlace) -> OpenedDraft:
    """`model` is the target, or holds its MTP layer alone."""
    context = place.open_context(
        model,
        tokens=place.target.context_tokens + mtp.BLOCK_SIZE,
        outputs=DRAFT_STEP_ROWS,
        batch_rows=DRAFT_STEP_ROWS,
        is_mtp=True,
    )
    return OpenedDraft(MtpDrafter(context), needs_hidden_rows=True)


def _dspark(file: GgufFile, model: Model, place: DraftPlace) -> OpenedDraft:
    problem = pairing.layer_problem(place.target_file, model.target_layers, place.target_model.layer_count)
    if problem:
        raise DraftUnfit(problem)
    block_size = pairing.block_size(file)
    context = place.open_context(
        model,
        tokens=place.target.context_tokens + block_size,
        outputs=block_size + 1,
        batch_rows=DRAFT_STEP_ROWS,
        other=place.target,
    )
    drafter = DSparkDrafter(
        context,
        block_size=block_size,
        mask_token=model.mask_token,
        has_confidences=CONFIDENCE_WEIGHT in file.tensors,
        logit_cap=file.number(LOGIT_CAP),
        samples_from_anchor=pairing.samples_from_anchor(file),
        markov=MarkovHead(file) if W1 in file.tensors else None,
    )
    return OpenedDraft(drafter, model.target_layers)


def _eagle3(file: GgufFile, model: Model, place: DraftPlace) -> OpenedDraft:
    layers = pairing.eagle3_layers(file)
    norms = {
        QUERIES: pairing.numbers_of(file, pairing.EAGLE3_Q_NORM),
        KEYS: pairing.numbers_of(file, pairing.EAGLE3_K_NORM),
    }
    norm = None
    if all(norms.values()):
        weights = {node: np.array(found, np.float32) for node, found in norms.items()}
        norm = GraphNorm(weights, epsilon=file.number("eagle3.attention.layer_norm_rms_epsilon", 1e-6))
    context = place.open_context(
        model,
        tokens=place.target.context_tokens + eagle3.BLOCK_SIZE,
        outputs=DRAFT_STEP_ROWS,
        batch_rows=DRAFT_STEP_ROWS,
        other=place.target,
        graph_norm=norm,
    )
    drafter = Eagle3Drafter(context, padded_width=file.tensors["fc.weight"].shape[0])
    return OpenedDraft(drafter, layers, place.target_model.layer_count in layers)


def _assistant(model: Model, place: DraftPlace) -> OpenedDraft:
    context = place.open_context(
        model, tokens=place.target.context_tokens, outputs=1, batch_rows=16, other=place.target, is_mtp=True
    )
    return OpenedDraft(AssistantDrafter(context), needs_hidden_rows=True)


def _small_model(model: Model, place: DraftPlace) -> OpenedDraft:
    other = model.first_difference(place.target_model)
    if other is not None:
        theirs, ours = place.target_model.text(other), model.text(other)
        raise DraftUnfit(
            f"{model.path.name} has another vocabulary than the target {place.target_model.path.name}: token {other:,} "
            f"is {ours!r} there and {theirs!r} in the target. Pick a small model of the target's own family."
        )
    if model.has_recurrent_layers:
        raise DraftUnfit(f"{model.path.name} has recurrent layers and cannot be rolled back: it cannot draft.")
    tokens = place.target.context_tokens + BLOCK_SIZE
    context = place.open_context(model, tokens=tokens, outputs=1, batch_rows=DRAFT_STEP_ROWS)
    return OpenedDraft(SmallModelDrafter(context, target_vocabulary=place.target_model.vocabulary_size))
