"""What has been done of a pair, kept in its folder, so that a finished step is never done again."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from converters.regular_file import read_regular_text
from sparkdesk.atomic_file import write_whole

_NAME = "steps.json"
_STAMP = ("repository", "revision", "type", "partner")


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A GGUF file we made, and from what."""

    file: str
    """In the pair's folder."""
    size_bytes: int
    repository: str
    revision: str
    """Of a checkpoint on this disk: when it was last changed."""
    type: str
    partner: str = ""
    """A draft holds its target's tokenizer: which target that was."""

    def is_there(self, folder: Path) -> bool:
        try:
            return (folder / self.file).stat().st_size == self.size_bytes
        except OSError:
            return False

    def is_like(self, other: "MadeFile") -> bool:
        """Made from the same things in the same way."""
        return all(getattr(self, name) == getattr(other, name) for name in _STAMP)


@dataclass(frozen=True, slots=True)
class Record:
    """By role: "target", "draft"."""

    made: dict[str, MadeFile]
    tested: str = ""
    """Fingerprint of the two files that answered the smoke test together."""


def read_record(folder: Path) -> Record:
    """Empty where there is none, or none that makes sense: then the steps are done again."""
    try:
        record = msgspec.json.decode(read_regular_text(folder / _NAME), type=Record)
    except (OSError, ValueError, RecursionError):
        return Record({})
    return record if all(Path(made.file).name == made.file for made in record.made.values()) else Record({})


def write_record(folder: Path, record: Record) -> None:
    write_whole(folder / _NAME, json.dumps(asdict(record), indent=2) + "\n")


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
