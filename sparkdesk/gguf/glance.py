"""Reads a GGUF header without walking its vocabulary: for looking at a hundred files at once."""

import mmap
import struct
from pathlib import Path

from sparkdesk.errors import ModelLoadError
from sparkdesk.gguf.header import GgufFile, HeaderWalk, read_gguf

# The next key after a vocabulary: the upper bytes of its length, then how it begins.
_NEXT_KEY = b"\0" * 7 + b"tokenizer."
_LEAST_STRINGS = 4096
_MOST_BYTES_A_STRING = 64


def glance_gguf(path: Path) -> GgufFile:
    """As `read_gguf`, many times faster; what does not add up is read the slow way, which has the last word."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Glance(path, data).header()
    except (ModelLoadError, ValueError, OSError, struct.error, IndexError, KeyError, OverflowError, MemoryError):
        return read_gguf(path)


class _Glance(HeaderWalk):
    """Looks for the key behind a vocabulary instead of adding up the lengths of its strings.

    A wrong guess cannot pass: the numbers of keys and tensors are known, and every tensor must lie in the file.
    """

    def skip_strings(self, count: int) -> None:
        if count < _LEAST_STRINGS:
            return super().skip_strings(count)
        end = min(len(self.data), self.at + count * _MOST_BYTES_A_STRING)
        found = self.data.find(_NEXT_KEY, self.at + 8 * count - 8, end)
        if found < 0:
            return super().skip_strings(count)
        self.at = found - 1
        return None
