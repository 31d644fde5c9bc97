"""How much memory control groups leave this process: a container's limit, which the system's figures leave out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sparkdesk.machine.control_groups import group_folders, read_text

_NO_LIMIT = 1 << 60  # version 1 says "none" with a very large number


@dataclass(frozen=True, slots=True)
class ContainerMemory:
    limit_bytes: int
    used_bytes: int
    """Without what the system would give back if asked."""

    @property
    def free_bytes(self) -> int:
        return max(0, self.limit_bytes - self.used_bytes)


def read_container_memory(system: Path = Path("/")) -> ContainerMemory | None:
    """The tightest limit on the way up from this process's group; None where there is none."""
    found = [*_limits(system, _V2), *_limits(system, _V1)]
    return min(found, key=lambda memory: memory.free_bytes, default=None)


@dataclass(frozen=True, slots=True)
class _Version:
    """Where one version of control groups keeps its figures."""

    controller: str
    folder: str
    limit: str
    used: str
    reclaimable: tuple[str, ...]
    """What the system takes back when memory is wanted: pages of files that were read, in use lately or not."""


_V2 = _Version(
    "", "sys/fs/cgroup", "memory.max", "memory.current", ("active_file", "inactive_file", "slab_reclaimable")
)
_V1 = _Version(
    "memory",
    "sys/fs/cgroup/memory",
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    ("total_active_file", "total_inactive_file"),
)


def _limits(system: Path, version: _Version) -> Iterator[ContainerMemory]:
    for folder in group_folders(system, version.folder, version.controller):
        limit = _number(folder / version.limit)
        if limit is not None and limit < _NO_LIMIT:
            used = (_number(folder / version.used) or 0) - _sum(folder / "memory.stat", version.reclaimable)
            yield ContainerMemory(limit, max(0, used))


def _sum(path: Path, names: tuple[str, ...]) -> int:
    lines = (line.partition(" ") for line in read_text(path).splitlines())
    return sum(int(value) for key, _, value in lines if key in names and value.isdigit())


def _number(path: Path) -> int | None:
    """None for "max" and for a file that is not there."""
    text = read_text(path)
    return int(text) if text.isdigit() else None
