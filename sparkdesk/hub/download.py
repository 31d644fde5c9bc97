"""Files of several repositories into the hub's cache, with progress of each and of all."""

import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sparkdesk.errors import DiskFull
from sparkdesk.events import Notice, Progress
from sparkdesk.hub.cache import HubCache
from sparkdesk.hub.choose import in_gb
from sparkdesk.hub.client import Hub
from sparkdesk.hub.fetch import Arrived, Checking, fetch
from sparkdesk.hub.repository import HubFile, Repository
from sparkdesk.hub.retry import RetryPolicy, asking

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


_WINDOW_S = 5.0
_LEAST_S = 0.2


class Rate:
    """Only what was downloaded counts, not what was there before."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()  # (when, bytes until then)

    def at(self, now_s: float, done_bytes: int) -> float:
        """Bytes per second; 0 as long as nothing can be said."""
        self._seen.append((now_s, done_bytes))
        while self._seen[0][0] < now_s - _WINDOW_S and len(self._seen) > 2:
            self._seen.popleft()
        since_s, since_bytes = self._seen[0]
        return (done_bytes - since_bytes) / (now_s - since_s) if now_s - since_s >= _LEAST_S else 0.0


_SHOWN_EVERY_S = 0.1
_THE_DOWNLOAD = "the download"


@dataclass(frozen=True, slots=True)
class FileSelection:
    repository: Repository
    files: tuple[HubFile, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def download(
    hub: Hub, wanted: Sequence[FileSelection], *, later: Sequence[Need] = (), retry: RetryPolicy | None = None
) -> Generator[Progress | Notice, None, None]:
    """All of it, or a DownloadError with what has come kept. `later` is room that is needed once it is here."""
    cache, retry = HubCache(hub.cache_folder), retry or RetryPolicy()
    missing_bytes = sum(cache.missing_bytes(one.repository, file) for one in wanted for file in one.files)
    check_space((Need(_THE_DOWNLOAD, cache.root, missing_bytes), *later))
    yield from _check_access(hub, cache, wanted, retry)
    shown = _Shown(wanted)
    for one in wanted:
        for file in one.files:
            yield from shown.file(file, fetch(hub, cache, one.repository, file, retry=retry))
        if not one.repository.is_from_cache:
            cache.note_newest(one.repository)


def missing_bytes(hub: Hub, wanted: Sequence[FileSelection]) -> int:
    cache = HubCache(hub.cache_folder)
    return sum(cache.missing_bytes(one.repository, file) for one in wanted for file in one.files)


def is_begun(hub: Hub, wanted: FileSelection) -> bool:
    """Something of it was downloaded, more than a look at a header."""
    cache = HubCache(hub.cache_folder)
    return any(
        cache.has(wanted.repository, file) or cache.is_begun(wanted.repository.name, file) for file in wanted.files
    )


def _check_access(
    hub: Hub, cache: HubCache, wanted: Sequence[FileSelection], retry: RetryPolicy
) -> Generator[Progress | Notice, None, None]:
    """Before gigabytes of one repository are fetched, it should be known whether the other is given out at all."""
    for one in wanted:
        missing = [file for file in one.files if not cache.has(one.repository, file)]
        if one.repository.is_gated and missing:
            yield from asking(partial(hub.check_access, one.repository, missing[0]), retry)


class _Shown:
    """Turns the steps of single files into progress of each and of all."""

    def __init__(self, wanted: Sequence[FileSelection]) -> None:
        self._total_bytes = sum(one.size_bytes for one in wanted)
        self._file_count = sum(len(one.files) for one in wanted)
        self._earlier_bytes = self._earlier_files = self._new_bytes = 0
        self._rate, self._shown_at_s = Rate(), 0.0

    def file(
        self, file: HubFile, steps: "Generator[Arrived | Checking | Notice | Progress, None, object]"
    ) -> Generator[Progress | Notice, None, None]:
        new_bytes = 0
        try:
            for step in steps:
                if isinstance(step, (Notice, Progress)):
                    yield step
                    continue
                new_bytes = step.new_bytes if isinstance(step, Arrived) else new_bytes
                now_s = time.monotonic()
                if now_s - self._shown_at_s >= _SHOWN_EVERY_S:
                    self._shown_at_s = now_s
                    yield self._progress(file, step, now_s, new_bytes)
        finally:
            steps.close()
        self._earlier_bytes += file.size_bytes
        self._earlier_files += 1
        self._new_bytes += new_bytes

    def _progress(self, file: HubFile, step: Arrived | Checking, now_s: float, new_bytes: int) -> Progress:
        rate = self._rate.at(now_s, self._new_bytes + new_bytes)
        name = f"{file.name} ({self._earlier_files + 1} of {self._file_count})"
        whole = Progress("All files", self._earlier_bytes + step.done_bytes, self._total_bytes, "bytes", rate)
        if isinstance(step, Checking):
            return Progress(f"Checking {name}", step.done_bytes, file.size_bytes, "bytes", whole=whole)
        return Progress(f"Downloading {name}", step.done_bytes, file.size_bytes, "bytes", rate, whole)
