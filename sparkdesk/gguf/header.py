"""The header of one GGUF file as the desk sees it: `converters.gguf_header` reads and checks it, here errors get words.

`peek_gguf` reads a hundred of them at once, without walking their vocabularies.
"""

import mmap
import os
from dataclasses import dataclass
from pathlib import Path

from converters.gguf_header import MAX_HEADER_BYTES, MOST_NUMBERS, HeaderGoesOn, HeaderWalk, parse_header
from converters.gguf_types import ArrayLength, BadHeader, GgufHeader, Scalar, TensorPlace
from converters.regular_file import open_regular
from sparkdesk.errors import ModelLoadError

__all__ = [
    "MOST_NUMBERS",
    "ArrayLength",
    "GgufFile",
    "Scalar",
    "TensorPlace",
    "peek_gguf",
    "read_gguf",
    "read_head",
]
_NO_GGUF = "is not a GGUF file"
# The next key after a vocabulary: the upper bytes of its length, then how it begins.
_NEXT_KEY = b"\0" * 7 + b"tokenizer."
_LEAST_STRINGS = 4096
_MOST_BYTES_A_STRING = 64


@dataclass(frozen=True, slots=True)
class GgufFile:
    """The header of one GGUF file."""

    path: Path
    metadata: dict[str, Scalar | ArrayLength]
    tensors: dict[str, TensorPlace]

    @property
    def architecture(self) -> str:
        return str(self.metadata.get("general.architecture", ""))

    @property
    def name(self) -> str:
        return str(self.metadata.get("general.name") or self.path.stem)

    def whole_number(self, key: str, default: int = 0) -> int:
        """What it says, where that is a whole number."""
        found = self.metadata.get(key)
        return found if isinstance(found, int) and not isinstance(found, bool) else default

    def number(self, key: str, default: float = 0.0) -> float:
        """What it says, where that is a number; never infinite."""
        found = self.metadata.get(key)
        return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else default


def read_gguf(path: Path) -> GgufFile:
    """The header of `path`. Raises ModelLoadError where it is missing, is not a GGUF file, or cannot be believed."""
    return _read(path, HeaderWalk)


def peek_gguf(path: Path) -> GgufFile:
    """As `read_gguf`, many times faster; what does not add up is read the slow way, which has the last word."""
    try:
        return _read(path, _Peek)
    except ModelLoadError:
        return read_gguf(path)


def read_head(head: bytes, path: Path, size_bytes: int) -> GgufFile | None:
    """The header out of the first bytes of a file of that size; None where it goes on behind them.

    Raises ModelLoadError where it cannot be the beginning of a GGUF file.
    """
    try:
        return _file(path, parse_header(head, size_bytes))
    except HeaderGoesOn:
        return None
    except BadHeader as error:
        raise ModelLoadError(f"{path} {error}.", "Name another file.") from error


def _read(path: Path, walk: type[HeaderWalk]) -> GgufFile:
    try:
        with open_regular(path) as file:
            size_bytes = os.fstat(file.fileno()).st_size
            if not size_bytes:
                raise BadHeader("is empty")
            with mmap.mmap(file.fileno(), min(size_bytes, MAX_HEADER_BYTES), access=mmap.ACCESS_READ) as data:
                return _file(path, walk(data, size_bytes).header())
    except FileNotFoundError:
        raise ModelLoadError(f"There is no file {path}.", "Check the path.") from None
    except BadHeader as error:
        hint = (
            "A checkpoint folder must be converted first: sparkdesk convert."
            if str(error) == _NO_GGUF
            else "Download or convert it again."
        )
        raise ModelLoadError(f"{path} {error}.", hint) from error
    except (OSError, ValueError, MemoryError) as error:  # a name with a NUL is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise ModelLoadError(f"{path} cannot be read as a GGUF file ({reason}).") from error


def _file(path: Path, header: GgufHeader) -> GgufFile:
    return GgufFile(path, dict(header.metadata), dict(header.tensors))


class _Peek(HeaderWalk):
    """Looks for the key behind a vocabulary instead of adding up the lengths of its strings.

    A wrong guess cannot pass: the numbers of keys and tensors are known, and every tensor must lie in the file.
    """

    def skip_strings(self, count: int) -> None:
        if count < _LEAST_STRINGS or not isinstance(self.data, mmap.mmap):
            return super().skip_strings(count)
        end = min(len(self.data), self.at + count * _MOST_BYTES_A_STRING)
        found = self.data.find(_NEXT_KEY, self.at + 8 * count - 8, end)
        if found < 0:
            return super().skip_strings(count)
        self.at = found - 1
        return None
