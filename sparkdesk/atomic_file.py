"""Writes a file so that nobody ever sees half of it, and our own so that nobody else reads them."""

import os
import re
from contextlib import suppress
from pathlib import Path

from converters.file_lock import is_locked, locked_file

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")


def write_whole(path: Path, text: str) -> None:
    """Written beside it, then renamed over it; folders are made, and who may read the file stays as it was.

    A new file is its owner's only. Raises OSError, and leaves what was there.
    """
    make_private_folder(path.parent)
    temporary = path.with_name(f".{path.name[:200]}.{os.urandom(4).hex()}.tmp")
    try:
        with locked_file(temporary, mode=PRIVATE_FILE):  # says that its writer lives, until it is renamed
            with temporary.open("w", encoding="utf-8", newline="") as file:
                with suppress(FileNotFoundError):
                    os.chmod(temporary, path.stat().st_mode & 0o777)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def make_private_folder(folder: Path) -> None:
    """With the folders above it, where they are missing; those that are there stay as they are. Raises OSError."""
    if os.path.isdir(folder):
        return
    if folder.parent != folder:
        make_private_folder(folder.parent)
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def remove_temporaries(folder: Path) -> int:
    """What writers left that were killed; a living one holds a lock on its own. Returns how many there were."""
    removed = 0
    with suppress(OSError):
        names = [entry.name for entry in os.scandir(folder) if _TEMPORARY.fullmatch(entry.name)]
        for path in (folder / name for name in names):
            if not is_locked(path):
                with suppress(OSError):
                    path.unlink()
                    removed += 1
    return removed
