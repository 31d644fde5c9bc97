"""Is there room for all of it, before the first byte is fetched."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkdesk.errors import DiskFull
from sparkdesk.hub.choose import in_gb

_SLACK_BYTES = 200_000_000  # a disk filled to the last byte stops everything else


@dataclass(frozen=True, slots=True)
class Need:
    """So much will be written below that folder."""

    what: str
    """In words: "the download"."""
    folder: Path
    size_bytes: int


def check_space(needs: Sequence[Need], free_bytes: Callable[[Path], int] | None = None) -> None:
    """Raises DiskFull. Folders on one disk share its room."""
    disks: dict[int, list[Need]] = {}
    for need in needs:
        if need.size_bytes > 0:
            disks.setdefault(os.stat(_existing(need.folder)).st_dev, []).append(need)
    for together in disks.values():
        _check_disk(together, (free_bytes or _free_bytes)(_existing(together[0].folder)))


def _check_disk(needs: Sequence[Need], free_bytes: int) -> None:
    needed_bytes = sum(need.size_bytes for need in needs)
    if needed_bytes + _SLACK_BYTES <= free_bytes:
        return
    parts = " and ".join(f"{in_gb(need.size_bytes)} for {need.what}" for need in needs)
    raise DiskFull(
        f"{parts} are needed, and the disk of {needs[0].folder} has {in_gb(free_bytes)} free.",
        "Nothing was downloaded. Free some space, or use another disk: HF_HOME is for downloads, SPARKDESK_HOME for "
        "what is converted.",
    )


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _existing(folder: Path) -> Path:
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
