"""What the hub says about a repository: its commit and its files."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from sparkdesk.errors import BrokenDownload
from sparkdesk.hub_layout import is_digest, is_file_path, is_repository, is_revision

_SHOWN = 100


@dataclass(frozen=True, slots=True)
class HubFile:
    path: str
    """Within the repository, with forward slashes."""
    size_bytes: int
    digest: str
    """SHA-256 of its bytes, or git's own SHA-1 for a small file; also its name in the hub's cache."""

    def __post_init__(self) -> None:
        """Both become names on this disk, and come from elsewhere."""
        if not is_file_path(self.path):
            raise BrokenDownload(
                f"The hub names a file {self.path[:_SHOWN]!r}, which cannot be one of its folder.",
                "Nothing of this repository is downloaded.",
            )
        if not is_digest(self.digest):
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

    def __post_init__(self) -> None:
        """Both become names on this disk, and come from elsewhere."""
        if not is_repository(self.name):
            raise BrokenDownload(f"The hub names a repository {self.name[:_SHOWN]!r}, which cannot be a folder.")
        if not is_revision(self.revision):
            raise BrokenDownload(f"The hub names a revision {self.revision[:_SHOWN]!r}, which is not a commit.")

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
