"""Do a target and a draft belong together, and if not, why: judged from the headers of their GGUF files."""

from sparkdesk.gguf_file import ArrayLength, GgufFile

DRAFT_ARCHITECTURE = "dflash"
OLD_DRAFT_ARCHITECTURE = "dspark"


def problem(target: GgufFile, draft: GgufFile) -> str:
    """One sentence naming both sides of the mismatch and what to do; empty when they fit."""
    if draft.architecture == OLD_DRAFT_ARCHITECTURE:
        return (
            f"{draft.path.name} is in the early 'dspark' format that nothing loads any more. "
            "Convert the draft again from its checkpoint: sparkdesk convert draft."
        )
    if draft.architecture != DRAFT_ARCHITECTURE:
        return (
            f"{draft.path.name} is a '{draft.architecture}' model, not a DSpark draft (architecture 'dflash'). "
            "Pick the draft that was trained for this target."
        )
    return _missing_parts(draft) or _vocabulary(target, draft) or _features(target, draft)


def _missing_parts(draft: GgufFile) -> str:
    for key in ("dflash.block_size", "dflash.target_layers", "tokenizer.ggml.mask_token_id"):
        if key not in draft.metadata:
            return f"{draft.path.name} does not say its {key}. Convert the draft again from its checkpoint."
    if "fc.weight" not in draft.tensors:
        return f"{draft.path.name} has no fc.weight and cannot read a target. Convert it again from its checkpoint."
    return ""


def _vocabulary(target: GgufFile, draft: GgufFile) -> str:
    target_size, draft_size = vocabulary_size(target), vocabulary_size(draft)
    if target_size == draft_size:
        return ""
    return (
        f"The draft expects {draft_size} tokens; the target {target.path.name} has {target_size}. "
        "Pick the target this draft was trained for."
    )


def _features(target: GgufFile, draft: GgufFile) -> str:
    layers = draft.metadata["dflash.target_layers"]
    layer_count = layers.count if isinstance(layers, ArrayLength) else 0
    width = int(target.metadata.get(f"{target.architecture}.embedding_length", 0))  # type: ignore[arg-type]
    wanted = draft.tensors["fc.weight"].shape[0]
    if wanted == layer_count * width:
        return ""
    return (
        f"The draft reads {layer_count} layers of width {wanted // max(1, layer_count)}; "
        f"the target {target.path.name} has width {width}. Pick the target this draft was trained for."
    )


def layer_problem(target: GgufFile, layers: tuple[int, ...], layer_count: int) -> str:
    """Layers a draft listens to that the target does not have would end the whole process."""
    if not layers or max(layers) >= layer_count:
        return (
            f"The draft listens to layer {max(layers, default=0)}; "
            f"the target {target.path.name} has {layer_count} layers. Pick the target this draft was trained for."
        )
    return ""


def vocabulary_size(file: GgufFile) -> int:
    tokens = file.metadata.get("tokenizer.ggml.tokens")
    return tokens.count if isinstance(tokens, ArrayLength) else 0


def samples_from_anchor(draft: GgufFile) -> bool:
    """Whether the anchor's row predicts a token. Where a file does not say so: with a Markov head, as llama.cpp has it."""
    stated = draft.metadata.get("dflash.sample_from_anchor")
    return stated if isinstance(stated, bool) else "markov_w1.weight" in draft.tensors
