"""How many processor cores there are for computing: as the system's topology, the affinity and control groups tell it.

Two threads on one physical core (SMT) share its arithmetic, a slow core of a hybrid processor makes the fast ones wait
at every barrier, and threads beyond a container's quota are stopped for the rest of its period. None of them helps.
"""

import os
import platform
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from sparkdesk.machine.child_processes import safe_environment
from sparkdesk.machine.control_groups import group_folders, read_text

_CPUS = "sys/devices/system/cpu"
_FAST_SHARE = 0.8
"""Of the fastest core's capacity; efficiency cores have 40 to 75 % of it."""


@dataclass(frozen=True, slots=True)
class Cores:
    """What this process may use, in cores."""

    logical: int
    """Hardware threads that the affinity allows."""
    physical: int
    """The same with SMT siblings once."""
    fast: int
    """Physical cores without the efficiency cores of a hybrid processor."""
    quota: float | None = None
    """Processors' worth of time that a container may use; None without a limit."""

    @property
    def usable(self) -> int:
        """Most threads worth computing with; at least 1."""
        return max(1, self.fast if self.quota is None else min(self.fast, int(self.quota)))


def read_cores(system: Path = Path("/"), affinity: Collection[int] | None = None) -> Cores:
    """`affinity` are the logical processors this process may run on; None asks the system."""
    if platform.system() == "Darwin" and affinity is None:
        return _mac_cores()
    allowed = frozenset(_affinity() if affinity is None else affinity)
    cores = _physical_cores(system, allowed)
    capacities = {core: max(_capacity(system, processor) for processor in core) for core in cores}
    fast_ones = _listed(system / "sys/devices/cpu_core/cpus")  # Intel's hybrid processors
    if fast_ones & allowed:
        fast = sum(bool(core & fast_ones) for core in cores)
    else:
        least = _FAST_SHARE * max(capacities.values(), default=0)
        fast = sum(capacity >= least for capacity in capacities.values())
    return Cores(len(allowed), len(cores), fast, min(_quotas(system), default=None))


def _affinity() -> Collection[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _physical_cores(system: Path, allowed: frozenset[int]) -> frozenset[frozenset[int]]:
    """Each as the allowed logical processors that share it."""
    siblings = {
        processor: _listed(system / _CPUS / f"cpu{processor}" / "topology/thread_siblings_list")
        for processor in allowed
    }
    if not all(siblings.values()):
        siblings = _siblings_by_cpuinfo(system, allowed)
    return frozenset((siblings[processor] | {processor}) & allowed for processor in allowed)


def _siblings_by_cpuinfo(system: Path, allowed: frozenset[int]) -> dict[int, frozenset[int]]:
    """By package and core, where /sys shows nothing; a processor that is not described has no sibling."""
    described: dict[int, tuple[str, str]] = {}
    for block in read_text(system / "proc/cpuinfo").split("\n\n"):
        fields = {
            name.strip(): value.strip() for name, _, value in (line.partition(":") for line in block.splitlines())
        }
        if fields.get("processor", "").isdigit() and "core id" in fields:
            described[int(fields["processor"])] = fields.get("physical id", "0"), fields["core id"]
    return {
        processor: frozenset(
            other for other, place in described.items() if place == described.get(processor, ("", str(processor)))
        )
        for processor in allowed
    }


def _capacity(system: Path, processor: int) -> int:
    """The kernel's own measure of how fast a core is, 1024 for the fastest; it has none where all are alike."""
    text = read_text(system / _CPUS / f"cpu{processor}" / "cpu_capacity")
    return int(text) if text.isdigit() else 1024


def _listed(path: Path) -> frozenset[int]:
    """Processors out of a list such as "0-3,8"; none where the file is missing or says something else."""
    found: set[int] = set()
    for part in filter(None, read_text(path).split(",")):
        first, _, last = part.partition("-")
        if not (first.isdigit() and (last or first).isdigit()):
            return frozenset()
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def _quotas(system: Path) -> Iterator[float]:
    for folder in group_folders(system, "sys/fs/cgroup", ""):
        yield from _share(*read_text(folder / "cpu.max").split()[:2])
    for mount in ("sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"):
        for folder in group_folders(system, mount, "cpu"):
            yield from _share(read_text(folder / "cpu.cfs_quota_us"), read_text(folder / "cpu.cfs_period_us"))


def _share(quota: str = "", period: str = "") -> Iterator[float]:
    """Without a limit version 2 says "max", and version 1 says -1."""
    if quota.isdigit() and period.isdigit() and int(period) > 0:
        yield int(quota) / int(period)


def _mac_cores() -> Cores:
    """Apple silicon's performance cores are level 0; an Intel Mac has no levels."""
    logical = os.cpu_count() or 1
    physical = _sysctl("hw.physicalcpu") or logical
    return Cores(logical, physical, _sysctl("hw.perflevel0.physicalcpu") or physical)


def _sysctl(name: str) -> int:
    try:
        done = subprocess.run(
            ["sysctl", "-n", name], capture_output=True, text=True, timeout=2, check=False, env=safe_environment()
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    return int(done.stdout) if done.stdout.strip().isdigit() else 0
