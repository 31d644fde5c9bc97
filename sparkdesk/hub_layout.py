"""How the hub's cache lies on the disk, which other programs read and write too, and which names may lie in it.

models--Qwen--Qwen3-8B/blobs/<digest>                       the bytes, once
models--Qwen--Qwen3-8B/blobs/<digest>.incomplete            as many of them as have come
models--Qwen--Qwen3-8B/blobs/<digest>.peek                  ours: a header that was looked at, kept for a week
models--Qwen--Qwen3-8B/snapshots/<revision>/config.json     a link to a blob
models--Qwen--Qwen3-8B/refs/main                            the newest revision seen
.locks/models--Qwen--Qwen3-8B/<digest>.lock                 held by whoever downloads that blob

Paths and patterns, and who holds a lock. Whatever a hub or a file says is asked here before it becomes part of a path.
"""

import re
from pathlib import Path, PureWindowsPath

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

BLOBS, SNAPSHOTS, LOCKS = "blobs", "snapshots", ".locks"
NEWEST = "refs/main"
PARTIAL_SUFFIX, PEEK_SUFFIX = ".incomplete", ".peek"
ALL_SNAPSHOTS = f"models--*/{SNAPSHOTS}"
ALL_PARTIALS = f"models--*/{BLOBS}/*{PARTIAL_SUFFIX}"
ALL_PEEKS = f"models--*/{BLOBS}/*{PEEK_SUFFIX}"

_PREFIX, _SEPARATOR = "models--", "--"
_REPOSITORY = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}/)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}")
_REVISION = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
_LONGEST_NAME_BYTES = 255
_LONGEST_PATH_BYTES = 1024


def is_repository(name: str) -> bool:
    """Owner/Name, or a name alone; without what separates the two in a folder's name."""
    return bool(_REPOSITORY.fullmatch(name)) and _SEPARATOR not in name and ".." not in name


def is_revision(text: str) -> bool:
    """A commit in full; branches and tags are never asked for."""
    return bool(_REVISION.fullmatch(text))


def is_digest(text: str) -> bool:
    """SHA-256, or git's SHA-1."""
    return bool(_DIGEST.fullmatch(text))


def is_file_path(path: str) -> bool:
    """Relative, with forward slashes, downwards only, and such that every file system can hold it."""
    if _CONTROL.search(path) or "\\" in path or PureWindowsPath(path).drive:
        return False
    parts = path.split("/")
    lengths = [len(part.encode()) for part in parts]
    is_short = max(lengths) <= _LONGEST_NAME_BYTES and len(path.encode()) <= _LONGEST_PATH_BYTES
    return is_short and all(part not in ("", ".", "..") for part in parts)


def repository_folder(root: Path, repository: str) -> Path:
    """Raises ValueError for a name that could lead elsewhere."""
    if not is_repository(repository):
        raise ValueError(f"not a repository's name: {repository!r}")
    return root / _SEPARATOR.join(("models", *repository.split("/")))


def repository_of(folder_name: str) -> str:
    """ "models--Qwen--Qwen3-8B" -> "Qwen/Qwen3-8B"."""
    return folder_name.removeprefix(_PREFIX).replace(_SEPARATOR, "/")


def partials(folder: Path) -> list[Path]:
    """Of one repository's folder: downloads that are not complete."""
    return sorted(folder.glob(f"{BLOBS}/*{PARTIAL_SUFFIX}"))


def lock_of(partial: Path) -> Path | None:
    """What a program holds while it writes that partial download; None for a file that is none."""
    repository = partial.parent.parent
    if not partial.name.endswith(PARTIAL_SUFFIX) or not repository.name.startswith(_PREFIX):
        return None
    return repository.parent / LOCKS / repository.name / f"{partial.name.partition('.')[0]}.lock"


def is_being_written(partial: Path) -> bool | None:
    """Whether some program holds its lock now; None where that cannot be known here."""
    lock = lock_of(partial)
    if lock is None or fcntl is None:
        return None
    try:
        with lock.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return None
    return False


def has_weights(folder: Path) -> bool:
    """Of one repository's folder: whether a model's file has a name in some snapshot."""
    return any(any(folder.glob(f"{SNAPSHOTS}/*/*.{ending}")) for ending in ("gguf", "safetensors"))
