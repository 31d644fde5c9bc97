"""pair.json, which makes a folder a pair: written last and whole."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from converters.regular_file import read_regular_text
from sparkdesk.atomic_file import write_whole

NAME = "pair.json"


@dataclass(frozen=True, slots=True)
class Origin:
    repository: str
    """On the hub, or the path of what lies on this disk."""
    revision: str
    file: str
    """Empty where it was a checkpoint."""


@dataclass(frozen=True, slots=True)
class PairFile:
    name: str
    target: str
    """A file in the folder, or the absolute path of one elsewhere that is used in place."""
    draft: str
    target_source: Origin
    draft_source: Origin
    quantization: str
    made_by: str
    made_at: str


def write_pair(folder: Path, pair: PairFile) -> None:
    """The same pair made again stays as it was made first."""
    fields = asdict(pair)
    if {**_there(folder), "made_at": None} != {**fields, "made_at": None}:
        write_whole(folder / NAME, json.dumps(fields, indent=2) + "\n")


def _there(folder: Path) -> dict[str, object]:
    try:
        fields = json.loads(read_regular_text(folder / NAME))
    except (OSError, ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
