"""One file from the hub into its cache: goes on where it was cut, is checked, and appears whole or not at all."""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sparkdesk.errors import BrokenDownload, DiskFull, DownloadError, HubBusy, HubUnreachable
from sparkdesk.events import Notice, Progress
from sparkdesk.hub.cache import HubCache, size_of
from sparkdesk.hub.client import Hub
from sparkdesk.hub.digest import Digest
from sparkdesk.hub.repository import HubFile, Repository
from sparkdesk.hub.retry import RetryPolicy, waiting

_LOCK_MOMENT_S = 1.0
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
    hub: Hub, cache: HubCache, repository: Repository, file: HubFile, *, patience: RetryPolicy
) -> Generator[Step, None, Path]:
    """Closing it keeps what has come. Raises DownloadError."""
    if cache.has(repository, file):
        return cache.place(repository, file)
    with disk_errors(cache.root):
        yield from _with_lock(hub, cache, repository, file, patience)
        return cache.publish(repository, file)


def _with_lock(
    hub: Hub, cache: HubCache, repository: Repository, file: HubFile, patience: RetryPolicy
) -> Generator[Step, None, None]:
    is_said = False
    while True:
        with hub.lock(cache.lock(repository.name, file), timeout_s=_LOCK_MOMENT_S) as is_ours:
            if is_ours:
                if not cache.blob(repository.name, file).exists() and not cache.take_twin(repository.name, file):
                    yield from _Download(hub, cache, repository, file, patience).run()
                return
        if not is_said:
            is_said = True
            yield Notice(f"Another program is downloading {file.name}; waiting for it.")
        yield Arrived(size_of(cache.partial(repository.name, file)), 0)


class _Download:
    """The tries it takes to get one file."""

    def __init__(self, hub: Hub, cache: HubCache, repository: Repository, file: HubFile, patience: RetryPolicy) -> None:
        self._hub, self._repository, self._file, self._patience = hub, repository, file, patience
        self._blob = cache.blob(repository.name, file)
        self._partial = cache.partial(repository.name, file)
        self._digest = Digest(file)
        self._new_bytes = 0

    def run(self) -> Generator[Step, None, None]:
        self._partial.parent.mkdir(parents=True, exist_ok=True)
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
                f"{self._file.path} of {self._repository.name} arrived twice with other bytes than the hub announces.",
                "A proxy or mirror may change it (see HF_ENDPOINT, HTTPS_PROXY); try again later.",
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
        failures = 0
        self._partial.touch()
        while self._digest.done_bytes < self._file.size_bytes:
            before = self._new_bytes
            try:
                yield from self._one_try()
                if self._new_bytes == before:
                    raise HubUnreachable(f"The hub sent nothing of {self._file.name}.", "Try again later.")
            except (HubBusy, HubUnreachable) as failure:
                failures = 1 if self._new_bytes > before else failures + 1
                yield from waiting(failure, failures, self._patience)

    def _one_try(self) -> Generator[Step, None, None]:
        with self._hub.read(self._repository, self._file, start=self._digest.done_bytes) as body:
            if body.start != self._digest.done_bytes:
                self._start_again()
            with self._partial.open("ab") as partial:
                yield Arrived(self._digest.done_bytes, self._new_bytes)
                for piece in body.chunks:
                    # Never more than was announced: what follows cannot be right.
                    self._keep(piece[: self._file.size_bytes - self._digest.done_bytes], partial)
                    yield Arrived(self._digest.done_bytes, self._new_bytes)
                partial.flush()
                os.fsync(partial.fileno())

    def _keep(self, piece: bytes, partial: BinaryIO) -> None:
        partial.write(piece)
        self._digest.add(piece)
        self._new_bytes += len(piece)


def _again(file: HubFile, *, had_some: bool) -> str:
    whose = "what was there of it before" if had_some else "what came"
    return f"{file.name}: {whose} does not match its checksum. Downloading it once more from the start."


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(
                f"The disk of {folder} is full.", "Free some space and run the same command: it goes on from here."
            ) from error
        raise DownloadError(
            f"{error.filename or folder} cannot be written: {error.strerror or error}.",
            "Set HF_HOME to a folder that can be written.",
        ) from error
