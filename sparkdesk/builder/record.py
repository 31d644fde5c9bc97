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
