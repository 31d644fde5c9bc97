"""Cores to compute with, on machines written down as trees of /sys and /proc."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from sparkdesk.machine.cores import Cores, read_cores


def machine(
    system: Path, siblings: Iterable[str] = (), files: Mapping[str, str] | None = None, capacities: Iterable[int] = ()
) -> Path:
    """`siblings` is each logical processor's thread_siblings_list, `capacities` its cpu_capacity."""
    written = dict(files or {})
    for processor, listed in enumerate(siblings):
        written[f"sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list"] = listed
    for processor, capacity in enumerate(capacities):
        written[f"sys/devices/system/cpu/cpu{processor}/cpu_capacity"] = str(capacity)
    for name, text in written.items():
        path = system / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return system


DESKTOP = [f"{core},{core + 8}" for core in (*range(8), *range(8))]
"""8 cores with SMT: 0 and 8 are one core."""
NEIGHBOURS = ["0-1", "0-1", "2-3", "2-3"]
ALONE = [str(processor) for processor in range(4)]


@pytest.mark.parametrize(
    ("siblings", "affinity", "found"),
    [
        (DESKTOP, range(16), Cores(16, 8, 8)),
        (DESKTOP, (0, 8), Cores(2, 1, 1)),
        (DESKTOP, (0, 1, 8), Cores(3, 2, 2)),
        (DESKTOP, range(8, 16), Cores(8, 8, 8)),
        (NEIGHBOURS, range(4), Cores(4, 2, 2)),
        (ALONE, range(4), Cores(4, 4, 4)),
        (ALONE, (2,), Cores(1, 1, 1)),
    ],
)
def test_threads_of_one_core_count_once(
    tmp_path: Path, siblings: list[str], affinity: Iterable[int], found: Cores
) -> None:
    assert read_cores(machine(tmp_path, siblings), tuple(affinity)) == found


def test_an_intel_hybrid_computes_on_its_performance_cores(tmp_path: Path) -> None:
    """6 performance cores with SMT (0 to 11), 8 efficiency cores without (12 to 19)."""
    siblings = [f"{core - core % 2}-{core - core % 2 + 1}" for core in range(12)] + [
        str(core) for core in range(12, 20)
    ]
    system = machine(tmp_path, siblings, {"sys/devices/cpu_core/cpus": "0-11", "sys/devices/cpu_atom/cpus": "12-19"})
    assert read_cores(system, range(20)) == Cores(20, 14, 6)
    assert read_cores(system, range(12, 16)).usable == 4, "where only slow cores are allowed, these are what there is"


def test_an_arm_hybrid_is_known_by_the_capacity_of_its_cores(tmp_path: Path) -> None:
    """As in a DGX Spark: ten fast cores that differ a little among themselves, and ten slower ones."""
    capacities = [718] * 5 + [997] * 5 + [718] * 5 + [1024] * 5
    system = machine(tmp_path, map(str, range(20)), capacities=capacities)
    assert read_cores(system, range(20)) == Cores(20, 20, 10)


def test_without_a_topology_the_processors_description_tells(tmp_path: Path) -> None:
    blocks = [f"processor : {n}\nphysical id : {n // 4}\ncore id : {n // 2 % 2}" for n in range(8)]
    assert read_cores(machine(tmp_path, files={"proc/cpuinfo": "\n\n".join(blocks)}), range(8)).physical == 4


def test_where_nothing_tells_every_processor_is_a_core(tmp_path: Path) -> None:
    assert read_cores(tmp_path, range(6)) == Cores(6, 6, 6)
    assert read_cores(machine(tmp_path, ["nonsense"] * 2), range(2)).usable == 2


V1 = "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_"
V1_TOP = "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_"


@pytest.mark.parametrize(
    ("files", "usable"),
    [
        ({"sys/fs/cgroup/cpu.max": "200000 100000"}, 2),
        ({"sys/fs/cgroup/cpu.max": "max 100000"}, 4),
        ({"sys/fs/cgroup/cpu.max": "250000 100000"}, 2),
        ({"sys/fs/cgroup/cpu.max": "50000 100000"}, 1),
        ({"sys/fs/cgroup/cpu.max": "nonsense"}, 4),
        ({"sys/fs/cgroup/cpu.max": ""}, 4),
        ({"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/cpu.max": "300000 100000"}, 3),
        ({"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/cpu.max": "max 1", "sys/fs/cgroup/cpu.max": "1 1"}, 1),
        ({"proc/self/cgroup": "3:cpu,cpuacct:/docker/abc", f"{V1}quota_us": "200000", f"{V1}period_us": "100000"}, 2),
        ({"proc/self/cgroup": "3:cpu:/docker/abc", f"{V1}quota_us": "-1", f"{V1}period_us": "100000"}, 4),
        ({"proc/self/cgroup": "3:cpu,cpuacct:/elsewhere", f"{V1_TOP}quota_us": "90", f"{V1_TOP}period_us": "30"}, 3),
        ({f"{V1_TOP}quota_us": "100", f"{V1_TOP}period_us": "0"}, 4),
    ],
)
def test_a_containers_quota_is_a_limit(tmp_path: Path, files: dict[str, str], usable: int) -> None:
    assert read_cores(machine(tmp_path, ALONE, files), range(4)).usable == usable


def test_affinity_quota_and_topology_all_hold(tmp_path: Path) -> None:
    system = machine(tmp_path, DESKTOP, {"sys/fs/cgroup/cpu.max": "600000 100000"})
    assert read_cores(system, range(16)).usable == 6
    assert read_cores(system, range(4)).usable == 4


def test_this_machine_has_some() -> None:
    found = read_cores()
    assert 1 <= found.usable <= found.fast <= found.physical <= found.logical
