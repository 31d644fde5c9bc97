"""The user's settings file: read from TOML, checked, never written.

threads = 0              # 0: as many as there are physical cores
gpu_layers = "auto"      # or a number of layers; "auto" is as many as there is room for
context_tokens = 4096    # 0: as many as the model was trained with
speculation = true       # whether a conversation starts with it
draft_length = "auto"    # or a number of tokens
history = true           # whether conversations are kept on this machine
theme = "spark-dark"     # or "spark-light", or any theme of Textual's
model_folders = []       # where other programs keep GGUF files, such as ["~/models"]

[keys]                   # other keys for what F1 lists
chat.reload = "ctrl+l,f12"
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from sparkdesk.errors import UsageError

ALL_LAYERS = -1
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds where the command line says nothing."""

    threads: int = 0
    gpu_layers: int = ALL_LAYERS
    context_tokens: int = 4096
    speculation: bool = True
    draft_length: int | None = None
    """None is the engine's own choice."""
    theme: str = ""
    """Empty is the screen's own choice."""
    model_folders: tuple[str, ...] = ()
    """Where to look for models beside our own folder, the hub's cache and LM Studio's."""
    history: bool = True
    """Whether conversations are kept."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Keys of the screen by action, "ctrl+l,f12" by "chat.reload"; which actions there are, the screen knows."""


def read_settings(path: Path) -> Settings:
    """The settings in `path`; a missing file means the defaults. Raises UsageError naming the first thing wrong."""
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return Settings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}.", "Mend the file or delete it.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    return settings_from(given, path)


def settings_from(given: Mapping[str, Any], path: Path) -> Settings:
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _CHECKS:
            known = ", ".join(entry.name for entry in fields(Settings))
            raise UsageError(f"{path}: {name!r} is not a setting.", f"Known are {known}.")
        wanted, check = _CHECKS[name]
        try:
            values[name] = check(value)
        except ValueError:
            raise UsageError(f"{path}: {name} is {value!r}, but must be {wanted}.") from None
    return Settings(**values)


def _count(value: object) -> int:
    # TOML's true is Python's True, which is an int.
    if type(value) is not int or value < 0:
        raise ValueError
    return value


def _gpu_layers(value: object) -> int:
    return ALL_LAYERS if value == AUTO else _count(value)


def _draft_length(value: object) -> int | None:
    if value == AUTO:
        return None
    return _count(value) or _refuse()


def _switch(value: object) -> bool:
    return value if isinstance(value, bool) else _refuse()


def _word(value: object) -> str:
    return value if isinstance(value, str) and value else _refuse()


def _folders(value: object) -> tuple[str, ...]:
    return tuple(_word(each) for each in value) if isinstance(value, list) else _refuse()


def _keys(value: object) -> dict[str, str]:
    """TOML makes a table of the dots in chat.reload; the names are whole again here."""
    flat: dict[str, str] = {}
    for name, keys in (value if isinstance(value, dict) else _refuse()).items():
        inner = _keys(keys) if isinstance(keys, dict) else {"": _word(keys)}
        flat |= {f"{name}.{last}".rstrip("."): key for last, key in inner.items()}
    return flat


def _refuse() -> Any:
    raise ValueError


_CHECKS: dict[str, tuple[str, Callable[[object], Any]]] = {
    "threads": ("a whole number, 0 for automatic", _count),
    "gpu_layers": ('"auto" or a whole number of layers', _gpu_layers),
    "context_tokens": ("a whole number of tokens, 0 for the model's own", _count),
    "speculation": ("true or false", _switch),
    "draft_length": ('"auto" or a whole number of 1 or more', _draft_length),
    "history": ("true or false", _switch),
    "theme": ("the name of a theme", _word),
    "model_folders": ('a list of folders such as ["~/models"]', _folders),
    "keys": ('a table such as chat.reload = "ctrl+l"', _keys),
}
