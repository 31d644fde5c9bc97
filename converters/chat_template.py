"""The chat template of a checkpoint, from whichever of its two homes has it."""

from pathlib import Path

from converters import names
from converters.config import read_optional_config
from converters.errors import BadCheckpoint
from converters.names import Entry, text
from converters.regular_file import read_regular_text


def chat_template_entries(folder: Path) -> tuple[Entry, ...]:
    template = _read_template(folder)
    return (text(names.CHAT_TEMPLATE, template),) if template else ()


def _read_template(folder: Path) -> str:
    file = folder / "chat_template.jinja"
    if file.exists():
        try:
            return read_regular_text(file)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise BadCheckpoint(f"{file} cannot be read: {reason}.") from error
    settings = read_optional_config(folder / "tokenizer_config.json")
    stated = settings.raw("chat_template")
    if isinstance(stated, list):  # several by name; one is the default
        named = {item.get("name"): item.get("template") for item in stated if isinstance(item, dict)}
        stated = named.get("default")
    return stated if isinstance(stated, str) else ""
