"""One file from the hub into its cache: goes on where it was cut, is checked, and appears whole or not at all."""

import hashlib
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sparkdesk.errors import BrokenDownload, DiskFull, DownloadError, HubBusy, HubUnreachable
from sparkdesk.events import Notice, Progress
from sparkdesk.hub.cache import HubCache, append_to, drop_strange, size_of
from sparkdesk.hub.client import Hub, RangeRefused
from sparkdesk.hub.repository import HubFile, Repository
from sparkdesk.hub.retry import RetryPolicy, waiting

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


_LOCK_MOMENT_S = 1.0
_GETS_ON_BYTES = 1 << 16
"""A try that brings less is a failure among the others: after some of them it is given up."""
_FULL = (28, 122, 112)  # ENOSPC, EDQUOT, Windows' ERROR_DISK_FULL


@dataclass(frozen=True, slots=True)
class Arrived:
    """So much of the file is on the disk."""

    done_bytes: int
    new_bytes: int
    """Of those, what this process downloaded; over all tries."""


@dataclass(frozen=True, slots=True)
class Checking:
    """What was downloaded before is read once more."""

    done_bytes: int


Step = Arrived | Checking | Notice | Progress


def fetch(
    hub: Hub, cache: HubCache, repository: Repository, file: HubFile, *, retry: RetryPolicy
) -> Generator[Step, None, Path]:
    """Closing it keeps what has come. Raises DownloadError."""
    if cache.has(repository, file):
        return cache.place(repository, file)
    with disk_errors(cache.root):
        yield from _with_lock(hub, cache, repository, file, retry)
        return cache.publish(repository, file)


def _with_lock(
    hub: Hub, cache: HubCache, repository: Repository, file: HubFile, retry: RetryPolicy
) -> Generator[Step, None, None]:
    is_said = False
    while True:
        with hub.lock(cache.lock(repository.name, file), timeout_s=_LOCK_MOMENT_S) as is_ours:
            if is_ours:
                if not cache.blob(repository.name, file).exists() and not cache.take_twin(repository.name, file):
                    yield from _Download(hub, cache, repository, file, retry).run()
                return
        if not is_said:
            is_said = True
            yield Notice(f"Another program is downloading {file.name}; waiting for it.")
        yield Arrived(size_of(cache.partial(repository.name, file)), 0)


class _Download:
    """The tries it takes to get one file."""

    def __init__(self, hub: Hub, cache: HubCache, repository: Repository, file: HubFile, retry: RetryPolicy) -> None:
        self._hub, self._repository, self._file, self._retry = hub, repository, file, retry
        self._cache = cache
        self._blob = cache.blob(repository.name, file)
        self._partial = cache.partial(repository.name, file)
        self._digest = Digest(file)
        self._new_bytes = 0

    def run(self) -> Generator[Step, None, None]:
        self._cache.prepare(self._repository.name, self._partial.parent)
        drop_strange(self._partial)
        peek = self._cache.peek(self._repository.name, self._file)
        drop_strange(peek)
        if peek.exists():
            if self._partial.exists():
                peek.unlink()
            else:
                os.replace(peek, self._partial)
        try:
            yield from self._to_the_end()
        finally:
            if self._partial.exists() and not size_of(self._partial):  # refused: nothing to go on with is left
                self._partial.unlink()

    def _to_the_end(self) -> Generator[Step, None, None]:
        yield from self._check_what_is_there()
        had_some = self._digest.done_bytes > 0
        yield from self._until_complete()
        if not self._digest.is_right:
            # The earlier part may be another program's, or what a power cut left: one more try from nothing.
            yield Notice(_again(self._file, had_some=had_some))
            self._start_again()
            yield from self._until_complete()
        if not self._digest.is_right:
            self._partial.unlink(missing_ok=True)
            raise BrokenDownload(
                f"{self._file.path} of {self._repository.name} was downloaded twice, both times with a wrong checksum.",
                "A proxy or mirror may be altering it (see HF_ENDPOINT, HTTPS_PROXY); try again later.",
            )
        os.replace(self._partial, self._blob)

    def _check_what_is_there(self) -> Generator[Step, None, None]:
        if size_of(self._partial) > self._file.size_bytes:
            self._partial.unlink()
        if self._partial.exists():
            for done_bytes in self._digest.add_file(self._partial):
                yield Checking(done_bytes)

    def _start_again(self) -> None:
        self._partial.unlink(missing_ok=True)
        self._digest.start_again()

    def _until_complete(self) -> Generator[Step, None, None]:
        failures, farthest = 0, self._digest.done_bytes
        append_to(self._partial).close()  # an empty file has nothing to be downloaded
        while self._digest.done_bytes < self._file.size_bytes:
            try:
                yield from self._one_try()
            except (HubBusy, HubUnreachable) as failure:
                if isinstance(failure, RangeRefused):
                    self._start_again()
                failures += 1
                if self._digest.done_bytes - farthest >= _GETS_ON_BYTES:
                    failures, farthest = 1, self._digest.done_bytes
                yield from waiting(failure, failures, self._retry)

    def _one_try(self) -> Generator[Step, None, None]:
        with self._hub.read(self._repository, self._file, start=self._digest.done_bytes) as body:
            if body.start != self._digest.done_bytes:
                self._start_again()
            with append_to(self._partial) as partial:
                yield Arrived(self._digest.done_bytes, self._new_bytes)
                for piece in body.chunks:
                    # Never more than was announced: what follows cannot be right, and may never end.
                    self._keep(piece[: self._file.size_bytes - self._digest.done_bytes], partial)
                    yield Arrived(self._digest.done_bytes, self._new_bytes)
                    if self._digest.done_bytes == self._file.size_bytes:
                        break
                partial.flush()
                os.fsync(partial.fileno())
        if self._digest.done_bytes < self._file.size_bytes:
            raise HubUnreachable(f"The hub sent only a part of {self._file.name}.", "Try again later.")

    def _keep(self, piece: bytes, partial: BinaryIO) -> None:
        partial.write(piece)
        self._digest.add(piece)
        self._new_bytes += len(piece)


def _again(file: HubFile, *, had_some: bool) -> str:
    whose = "the part downloaded earlier" if had_some else "the download"
    return f"{file.name}: {whose} does not match its checksum. Downloading it once more from the start."


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(
                f"The disk of {folder} is full.", "Free some space and run the same command to resume."
            ) from error
        raise DownloadError(
            f"{error.filename or folder} cannot be written: {error.strerror or error}.",
            "Set HF_HOME to a folder that can be written.",
        ) from error
