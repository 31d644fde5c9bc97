"""The hash the hub names a file by, taken while its bytes go by."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from sparkdesk.hub.repository import HubFile

_PIECE_BYTES = 8 << 20


class Digest:
    def __init__(self, file: HubFile) -> None:
        self._file = file
        self.start_again()

    def start_again(self) -> None:
        if self._file.is_git_digest:
            # Git hashes a header with the size before the bytes.
            self._hash = hashlib.sha1(b"blob %d\0" % self._file.size_bytes, usedforsecurity=False)
        else:
            self._hash = hashlib.sha256()
        self.done_bytes = 0

    def add(self, piece: bytes) -> None:
        self._hash.update(piece)
        self.done_bytes += len(piece)

    def add_file(self, path: Path) -> Iterator[int]:
        """What was downloaded before; yields how far it is, because it may be gigabytes."""
        with path.open("rb") as stream:
            while piece := stream.read(_PIECE_BYTES):
                self.add(piece)
                yield self.done_bytes

    @property
    def is_right(self) -> bool:
        return self.done_bytes == self._file.size_bytes and self._hash.hexdigest() == self._file.digest
