"""Typed reading of the JSON files beside the weights, with errors that name the file and the field."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from converters.errors import BadCheckpoint
from converters.regular_file import read_regular_text

_MOST_BYTES = 128 << 20
"""The largest tokenizer.json, of 262,144 tokens, takes 33 MiB."""
_F32_MAX = 3.4e38  # what a GGUF keeps numbers in
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")


class Config:
    """A JSON object whose fields are checked as they are read."""

    def __init__(self, fields: Mapping[str, Any], file_name: str) -> None:
        self._fields = fields
        self._file_name = file_name

    def names(self) -> tuple[str, ...]:
        """Of the fields that say something."""
        return tuple(name for name in self._fields if self.has(name))

    def has(self, name: str) -> bool:
        return self._fields.get(name) is not None

    def raw(self, name: str) -> Any:
        return self._fields.get(name)

    def count(self, name: str, default: int | None = None) -> int:
        """A whole number above zero that a GGUF can hold."""
        value = self._fields.get(name)
        value = default if value is None else value
        if type(value) is not int or not 1 <= value < 2**31:
            raise self.fault(name, "a whole number above zero", value)
        return value

    def index(self, name: str) -> int:
        value = self._fields.get(name)
        if type(value) is not int or value < 0:
            raise self.fault(name, "a whole number", value)
        return value

    def indices(self, name: str, *, least: int) -> tuple[int, ...]:
        value = self._fields.get(name)
        if not isinstance(value, list) or not value or any(type(item) is not int or item < least for item in value):
            raise self.fault(name, "a list of whole numbers", value)
        return tuple(value)

    def items(self, name: str) -> list[Any]:
        """A list of anything; empty where there is none."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, list):
            raise self.fault(name, "a list", value)
        return value or []

    def number(self, name: str, default: float | None = None) -> float:
        value = self._fields.get(name)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _F32_MAX:
            raise self.fault(name, "a number", value)
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self._fields.get(name)
        value = default if value is None else value
        if not isinstance(value, bool):
            raise self.fault(name, "true or false", value)
        return value

    def text(self, name: str, default: str = "") -> str:
        value = self._fields.get(name)
        value = default if value is None else value
        if not isinstance(value, str):
            raise self.fault(name, "a text", value)
        return value

    def section(self, name: str) -> "Config":
        """A nested object; empty where there is none."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, dict):
            raise self.fault(name, "an object", value)
        return Config(value or {}, f"{self._file_name}: {name}")

    def unwrapped(self, name: str) -> "Config":
        """These fields with those of a nested object laid over them; the same where there is none."""
        inner = self.section(name)
        return Config({**self._fields, **inner._fields}, self._file_name)

    def fault(self, name: str, expected: str, value: object) -> BadCheckpoint:
        if value is None:
            return BadCheckpoint(f"{self._file_name} does not say {name!r}.")
        return BadCheckpoint(f"{self._file_name}: {name!r} should be {expected}, not {str(value)[:80]}.")


def read_config(path: Path) -> Config:
    """The JSON object in a file."""
    try:
        content = read_regular_text(path, _MOST_BYTES)
        fields = json.loads(content)
        if _HALF_CHARACTER.search(content):  # escapes can spell text that no file can hold
            json.dumps(fields, ensure_ascii=False).encode("utf-8")
    except FileNotFoundError:
        raise BadCheckpoint(
            f"{path.name} is missing from {path.parent}.", hint="Download the whole checkpoint again."
        ) from None
    except OSError as error:
        reason = f"{path} cannot be read: {error.strerror or error}."
        raise BadCheckpoint(reason, hint="Check what it is and who may read it, or download it again.") from error
    except (ValueError, RecursionError):
        raise BadCheckpoint(f"{path.name} is not valid JSON.", hint="Download the file again.") from None
    if not isinstance(fields, dict):
        raise BadCheckpoint(f"{path.name} is not a JSON object.", hint="Download the file again.")
    return Config(fields, path.name)


def read_optional_config(path: Path) -> Config:
    """The JSON object in a file, empty where there is no such file."""
    return read_config(path) if path.exists() else Config({}, path.name)
