"""The hub's cache as it lies on the disk, which other programs read and write too.

models--Qwen--Qwen3-8B/blobs/<digest>                       the bytes, once
models--Qwen--Qwen3-8B/blobs/<digest>.incomplete            as many of them as have come
models--Qwen--Qwen3-8B/snapshots/<revision>/config.json     a link to a blob
models--Qwen--Qwen3-8B/refs/main                            the newest revision seen
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sparkdesk.atomic_file import write_whole
from sparkdesk.hub.repository import HubFile, Repository

_PARTIAL = ".incomplete"
_MAIN = Path("refs") / "main"


@dataclass(frozen=True, slots=True)
class HubCache:
    root: Path

    def folder(self, repository: str) -> Path:
        return self.root / "--".join(("models", *repository.split("/")))

    def blob(self, repository: str, file: HubFile) -> Path:
        return self.folder(repository) / "blobs" / file.digest

    def partial(self, repository: str, file: HubFile) -> Path:
        blob = self.blob(repository, file)
        return blob.with_name(blob.name + _PARTIAL)

    def lock(self, repository: str, file: HubFile) -> Path:
        return self.root / ".locks" / self.folder(repository).name / f"{file.digest}.lock"

    def snapshot(self, repository: Repository) -> Path:
        return self.folder(repository.name) / "snapshots" / repository.revision

    def place(self, repository: Repository, file: HubFile) -> Path:
        """Where the file is read from, once it is there."""
        return self.snapshot(repository).joinpath(*file.path.split("/"))

    def has(self, repository: Repository, file: HubFile) -> bool:
        return self.place(repository, file).exists()

    def missing_bytes(self, repository: Repository, file: HubFile) -> int:
        """How many must still be downloaded."""
        if self.has(repository, file) or self.blob(repository.name, file).exists() or self.twin(file) is not None:
            return 0
        return max(0, file.size_bytes - size_of(self.partial(repository.name, file)))

    def twin(self, file: HubFile) -> Path | None:
        """The same bytes, downloaded as part of another repository."""
        if file.is_git_digest:
            return None
        found = self.root.glob(f"models--*/blobs/{file.digest}")
        return next((path for path in found if size_of(path) == file.size_bytes), None)

    def take_twin(self, repository: str, file: HubFile) -> bool:
        """Let the blob be the twin's bytes, not a copy; False where the file system has no hard links."""
        twin, blob = self.twin(file), self.blob(repository, file)
        if twin is None:
            return False
        blob.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(os.path.realpath(twin), blob)
        except OSError:
            return False
        return True

    def publish(self, repository: Repository, file: HubFile) -> Path:
        """Give the blob its name in the snapshot."""
        blob, place = self.blob(repository.name, file), self.place(repository, file)
        place.parent.mkdir(parents=True, exist_ok=True)
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
        main = self.folder(repository.name) / _MAIN
        with suppress(OSError):
            if not main.is_file() or main.read_text("utf-8").strip() != repository.revision:
                write_whole(main, repository.revision)

    def newest(self, name: str) -> Repository | None:
        """What is on the disk of the newest revision seen; None when nothing is."""
        try:
            revision = (self.folder(name) / _MAIN).read_text("utf-8").strip()
        except OSError:
            return None
        folder = self.folder(name) / "snapshots" / revision
        paths = sorted(path for path in folder.rglob("*") if path.is_file()) if revision else []
        files = tuple(HubFile(path.relative_to(folder).as_posix(), size_of(path), _digest_of(path)) for path in paths)
        return Repository(name, revision, files, is_from_cache=True) if files else None


def size_of(path: Path) -> int:
    """0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _digest_of(path: Path) -> str:
    """A snapshot's link leads to the digest; where files are not links, nothing is downloaded by it either."""
    name = path.resolve().name
    return name if len(name) in (40, 64) and "." not in name else "0" * 64
