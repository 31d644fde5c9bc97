"""What the model card and config say about origin: name, licence, base model."""

import re
from pathlib import Path

from converters import names
from converters.checkpoint import Checkpoint
from converters.metadata import Entry, text, u32

_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*$", re.DOTALL | re.MULTILINE)


def origin_entries(checkpoint: Checkpoint) -> tuple[Entry, ...]:
    card = _front_matter(checkpoint.folder / "README.md")
    license_name = _field(card, "license")
    entries = [text(names.TYPE, "model"), text(names.NAME, _name(checkpoint)), text(names.CONVERTED_BY, "SparkDesk")]
    if license_name:
        entries.append(text(names.LICENSE, license_name))
    return (*entries, *_base_model(_field(card, "base_model")))


def _name(checkpoint: Checkpoint) -> str:
    origin = checkpoint.config.text("_name_or_path")
    return origin.rstrip("/").rsplit("/", 1)[-1] or checkpoint.folder.resolve().name


def _base_model(repository: str) -> tuple[Entry, ...]:
    if not repository:
        return ()
    url = f"https://huggingface.co/{repository}"
    return (
        u32(names.BASE_MODEL_COUNT, 1),
        text(names.BASE_MODEL_NAME, repository.rsplit("/", 1)[-1]),
        text(names.BASE_MODEL_URL, url),
    )


def _front_matter(path: Path) -> str:
    if not path.is_file():
        return ""
    found = _FRONT_MATTER.search(path.read_text(encoding="utf-8", errors="replace"))
    return found.group(1) if found else ""


def _field(card: str, name: str) -> str:
    """A field's value, or the first item where it is a list. Enough YAML for a model card."""
    found = re.search(rf"^{name}:[ \t]*(?:\n\s*-[ \t]*)?(\S.*)$", card, re.MULTILINE)
    return found.group(1).strip(" \"'[]") if found else ""
