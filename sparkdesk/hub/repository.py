"""What the hub says about a repository: its commit and its files."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from sparkdesk.errors import BrokenDownload

_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT_SHA1 = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class HubFile:
    path: str
    """Within the repository, with forward slashes."""
    size_bytes: int
    digest: str
    """SHA-256 of its bytes, or git's own SHA-1 for a small file; also its name in the hub's cache."""

    def __post_init__(self) -> None:
        """Both become names on this disk, and come from elsewhere."""
        path = PurePosixPath(self.path)
        if path.is_absolute() or ".." in path.parts or PureWindowsPath(self.path).drive or "\\" in self.path:
            raise BrokenDownload(f"The hub names a file {self.path!r}, which would lie outside its folder.")
        if not (_SHA256.fullmatch(self.digest) or _GIT_SHA1.fullmatch(self.digest)):
            raise BrokenDownload(f"The hub gives no checksum for {self.path}, so it could not be verified.")

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def is_git_digest(self) -> bool:
        return len(self.digest) == 40


@dataclass(frozen=True, slots=True)
class Repository:
    name: str
    """As the hub spells it: "Qwen/Qwen3-8B"."""
    revision: str
    """The commit; everything is asked for at this one."""
    files: tuple[HubFile, ...]
    is_gated: bool = False
    """Its makers ask for something before files are given out."""
    is_from_cache: bool = False
    """The hub was not asked: these are the files that are on the disk already."""

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class FoundModel:
    """One line of a search."""

    name: str
    architectures: tuple[str, ...]
    """As a GGUF file or a config.json says it; empty where the hub does not know."""
    tags: tuple[str, ...]
    downloads: int
    is_gated: bool
