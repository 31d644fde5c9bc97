"""Where the bundled pair's checkpoints lie."""

from pathlib import Path

PAIR_NAME = "spark-tiny"

_PAIR = Path(__file__).parent / "pair"


def target_folder() -> Path:
    """The target's checkpoint: config.json, model.safetensors and the tokenizer."""
    return _PAIR / "target"


def draft_folder() -> Path:
    """The draft's checkpoint: config.json and model.safetensors."""
    return _PAIR / "draft"


def is_present() -> bool:
    """False in a source tree without the weights."""
    return all((folder / "model.safetensors").is_file() for folder in (target_folder(), draft_folder()))
