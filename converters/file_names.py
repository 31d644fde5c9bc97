"""What to call a converted file where the user names only a folder: Qwen3-8B-DSpark-Q8_0.gguf."""

import re
from pathlib import Path

from converters.checkpoint import open_checkpoint
from converters.draft_config import read_draft_config
from converters.origin import checkpoint_origin
from converters.output_types import OUTPUT_TYPES, output_type_named

_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_TYPE_SUFFIX = re.compile(rf"[-_.](?:{'|'.join(map(re.escape, sorted(OUTPUT_TYPES, key=len, reverse=True)))})$", re.I)


def target_file_name(source: Path, output_type: str) -> str:
    return _joined(checkpoint_origin(open_checkpoint(source)).name, output_type_named(output_type).name)


def draft_file_name(source: Path, target: Path, output_type: str) -> str:
    """After the target, because that is what a draft is looked for by."""
    from converters.target import open_target

    checkpoint = open_checkpoint(source)
    is_eagle3 = "eagle3" in checkpoint.architecture.lower()
    kind = "EAGLE3" if is_eagle3 else read_draft_config(checkpoint.config).kind
    model = _TYPE_SUFFIX.sub("", open_target(target).origin.name)
    return _joined(model, kind, output_type_named(output_type).name)


def _joined(*parts: str) -> str:
    clean = (_ODD.sub("-", part).strip("-.") for part in parts)
    return "-".join(part for part in clean if part) + ".gguf"
