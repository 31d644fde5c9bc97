"""The hub's cache as it lies on the disk: where a repository's files are, and how a download gets its name.

Nothing is written outside a repository's folder, whatever links lie in it; the folder itself may be one of the user's.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sparkdesk import hub_layout
from sparkdesk.atomic_file import write_whole
from sparkdesk.errors import DownloadError
from sparkdesk.hub.repository import HubFile, Repository
from sparkdesk.local_path import real_path

_LONGEST_REFERENCE = 200
_PEEK_KEPT_S = 7 * 86400.0
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # Windows has none


@dataclass(frozen=True, slots=True)
class HubCache:
    root: Path

    def folder(self, repository: str) -> Path:
        return hub_layout.repository_folder(self.root, repository)

    def blob(self, repository: str, file: HubFile) -> Path:
        return self.folder(repository) / hub_layout.BLOBS / file.digest

    def partial(self, repository: str, file: HubFile) -> Path:
        blob = self.blob(repository, file)
        return blob.with_name(blob.name + hub_layout.PARTIAL_SUFFIX)

    def peek(self, repository: str, file: HubFile) -> Path:
        """The beginning of a file that was only looked at; a download goes on from there."""
        blob = self.blob(repository, file)
        return blob.with_name(blob.name + hub_layout.PEEK_SUFFIX)

    def is_begun(self, repository: str, file: HubFile) -> bool:
        """A download of it has brought something."""
        return self.blob(repository, file).exists() or self.partial(repository, file).exists()

    def drop_old_peeks(self, now_s: float) -> None:
        for peek in self.root.glob(hub_layout.ALL_PEEKS):
            with suppress(OSError):
                if now_s - peek.stat().st_mtime > _PEEK_KEPT_S:
                    peek.unlink()

    def lock(self, repository: str, file: HubFile) -> Path:
        return self.root / hub_layout.LOCKS / self.folder(repository).name / f"{file.digest}.lock"

    def snapshot(self, repository: Repository) -> Path:
        return self.folder(repository.name) / hub_layout.SNAPSHOTS / repository.revision

    def place(self, repository: Repository, file: HubFile) -> Path:
        """Where the file is read from, once it is there."""
        return self.snapshot(repository).joinpath(*file.path.split("/"))

    def has(self, repository: Repository, file: HubFile) -> bool:
        return self.place(repository, file).exists()

    def prepare(self, repository: str, folder: Path) -> None:
        """Make `folder`. Raises DownloadError where a link would lead it out of the repository's own."""
        own = self.folder(repository)
        if not real_path(folder).is_relative_to(real_path(own)):
            raise DownloadError(
                f"{folder} leads out of {own}, so nothing is written there.", "Remove the link, and try again."
            )
        folder.mkdir(parents=True, exist_ok=True)

    def missing_bytes(self, repository: Repository, file: HubFile) -> int:
        """How many must still be downloaded."""
        if self.has(repository, file) or self.blob(repository.name, file).exists() or self.twin(file) is not None:
            return 0
        here = size_of(self.partial(repository.name, file)) or size_of(self.peek(repository.name, file))
        return max(0, file.size_bytes - here)

    def twin(self, file: HubFile) -> Path | None:
        """The same bytes, downloaded as part of another repository."""
        if file.is_git_digest:
            return None
        found = self.root.glob(f"models--*/{hub_layout.BLOBS}/{file.digest}")
        return next((path for path in found if size_of(path) == file.size_bytes), None)

    def take_twin(self, repository: str, file: HubFile) -> bool:
        """Let the blob be the twin's bytes, not a copy; False where the file system has no hard links."""
        twin, blob = self.twin(file), self.blob(repository, file)
        if twin is None:
            return False
        self.prepare(repository, blob.parent)
        try:
            os.link(os.path.realpath(twin), blob)
        except OSError:
            return False
        return True

    def publish(self, repository: Repository, file: HubFile) -> Path:
        """Give the blob its name in the snapshot."""
        blob, place = self.blob(repository.name, file), self.place(repository, file)
        self.prepare(repository.name, place.parent)
        try:
            place.symlink_to(os.path.relpath(blob, place.parent))
        except FileExistsError:
            if not place.exists():  # a link to a blob that was deleted, which is there again under another name
                place.unlink()
                return self.publish(repository, file)
        except OSError:  # no links here: the bytes move, as the hub's own programs do it
            shutil.move(blob, place)
        return place

    def note_newest(self, repository: Repository) -> None:
        """So that it is found again without a network; a cache that cannot be written has no need of it."""
        main = self.folder(repository.name) / hub_layout.NEWEST
        with suppress(OSError, ValueError, DownloadError):
            self.prepare(repository.name, main.parent)
            if not main.is_file() or main.read_text("utf-8").strip() != repository.revision:
                write_whole(main, repository.revision)

    def newest(self, name: str) -> Repository | None:
        """What is on the disk of the newest revision seen; None when nothing is."""
        try:
            with (self.folder(name) / hub_layout.NEWEST).open("rb") as stream:
                revision = stream.read(_LONGEST_REFERENCE).decode("ascii").strip()
        except (OSError, ValueError):
            return None
        if not hub_layout.is_revision(revision):
            return None
        folder = self.folder(name) / hub_layout.SNAPSHOTS / revision
        files = tuple(_files_below(folder))
        return Repository(name, revision, files, is_from_cache=True) if files else None


def _files_below(folder: Path) -> Iterator[HubFile]:
    """Those that the hub could have named; what else lies there is not ours."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and hub_layout.is_file_path(name):
            yield HubFile(name, size_of(path), _digest_of(path))


def append_to(partial: Path) -> BinaryIO:
    """Only to a file that lies there itself: a link's end may be any file of the user's."""
    return open(partial, "ab", opener=lambda path, flags: os.open(path, flags | _NO_LINK, 0o666))


def drop_strange(partial: Path) -> None:
    """A link, a pipe or a device in a partial download's place goes; nothing was downloaded into it."""
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(partial.lstat().st_mode):
            partial.unlink()


def size_of(path: Path) -> int:
    """0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _digest_of(path: Path) -> str:
    """A snapshot's link leads to the digest; where files are not links, nothing is downloaded by it either."""
    name = real_path(path).name
    return name if hub_layout.is_digest(name) else "0" * 64
