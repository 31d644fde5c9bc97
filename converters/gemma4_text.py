"""The text model inside a checkpoint: without the wrapper, the longer names and the towers of a multimodal one.

A checkpoint of text alone comes out as it went in.
"""

from dataclasses import replace

from converters.checkpoint import Checkpoint

_WRAPPED, _BARE = "model.language_model.", "model."
_TOWERS = tuple(
    f"model.{part}." for part in ("vision_tower", "vision_embedder", "embed_vision", "audio_tower", "embed_audio")
)


def text_checkpoint(checkpoint: Checkpoint) -> Checkpoint:
    tensors = {_bare(name): tensor for name, tensor in checkpoint.tensors.items() if not name.startswith(_TOWERS)}
    return replace(
        checkpoint,
        config=checkpoint.config.unwrapped("text_config"),
        tensors={name: replace(tensor, name=name) for name, tensor in tensors.items()},
    )


def left_out(checkpoint: Checkpoint) -> str:
    """What the user should know about the parts that are not text; empty where there are none."""
    if not any(name.startswith(_TOWERS) for name in checkpoint.tensors):
        return ""
    return "Only the text model is converted: the parts for images and audio are left out."


def _bare(name: str) -> str:
    return _BARE + name.removeprefix(_WRAPPED) if name.startswith(_WRAPPED) else name
