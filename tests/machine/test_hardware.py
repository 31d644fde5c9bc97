"""Reading a machine from its files, for machines written down here."""

from pathlib import Path

import pytest

from sparkdesk.machine.hardware import (
    GraphicsCard,
    Memory,
    find_graphics_cards,
    free_bytes,
    is_writable,
    read_memory,
    read_processor,
)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_cards_are_named_by_the_driver(tmp_path: Path) -> None:
    write(tmp_path / "proc/driver/nvidia/gpus/0000:01/information", "Model: \t NVIDIA GeForce RTX 4090\nIRQ: 1\n")
    write(tmp_path / "sys/class/drm/card0/device/vendor", "0x10de\n")
    assert find_graphics_cards(tmp_path) == (GraphicsCard("NVIDIA", "NVIDIA GeForce RTX 4090"),)


def test_a_container_shows_device_nodes_only(tmp_path: Path) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        write(tmp_path / "dev" / name, "")
    assert len(find_graphics_cards(tmp_path)) == 2


def test_other_cards_are_known_by_their_vendor(tmp_path: Path) -> None:
    write(tmp_path / "sys/class/drm/card0/device/vendor", "0x1002\n")
    write(tmp_path / "sys/class/drm/card1/device/vendor", "0x8086\n")
    assert find_graphics_cards(tmp_path) == (GraphicsCard("AMD", "AMD GPU"),)


def machine(tmp_path: Path, **files: str) -> Path:
    write(tmp_path / "proc/meminfo", "MemTotal:  2000 kB\nMemAvailable:  1000 kB\nHugePages_Total: 0\n")
    for name, text in files.items():
        write(tmp_path / name, text)
    return tmp_path


def test_memory_and_processor_are_read(tmp_path: Path) -> None:
    assert read_memory(machine(tmp_path)) == Memory(2_048_000, 1_024_000)
    cpuinfo = write(tmp_path / "cpuinfo", "processor : 0\nmodel name\t: Some processor\n")
    assert read_processor(cpuinfo).name == "Some processor"
    assert read_processor(tmp_path / "none").architecture


def test_a_containers_limit_is_the_memory_there_is(tmp_path: Path) -> None:
    """What the system has is not what a container may use: the rest would end in its out-of-memory killer."""
    files = {
        "proc/self/cgroup": "0::/a/b\n",
        "sys/fs/cgroup/a/memory.max": "600000\n",
        "sys/fs/cgroup/a/memory.current": "500000\n",
        "sys/fs/cgroup/a/memory.stat": "anon 1\ninactive_file 300000\n",
        "sys/fs/cgroup/a/b/memory.max": "max\n",
    }
    assert read_memory(machine(tmp_path, **files)) == Memory(600_000, 400_000, is_limited=True)


@pytest.mark.parametrize(
    ("stat", "free"),
    [
        ("anon 500000\n", 100_000),
        ("anon 100000\nactive_file 400000\n", 500_000),
        ("anon 100000\nfile 400000\nactive_file 300000\ninactive_file 100000\n", 500_000),
        ("active_file 250000\ninactive_file 150000\nslab_reclaimable 50000\nslab_unreclaimable 9\n", 550_000),
        ("shmem 400000\ninactive_anon 400000\nactive_anon 1\n", 100_000),
    ],
)
def test_pages_of_files_are_free_memory_in_a_container_too(tmp_path: Path, stat: str, free: int) -> None:
    """A model that was read a moment ago is active_file: the next load seemed not to fit because of it."""
    files = {
        "proc/self/cgroup": "0::/a\n",
        "sys/fs/cgroup/a/memory.max": "600000\n",
        "sys/fs/cgroup/a/memory.current": "500000\n",
        "sys/fs/cgroup/a/memory.stat": stat,
    }
    assert read_memory(machine(tmp_path, **files)).available_bytes == free


def test_the_older_kind_of_limit_counts_them_under_other_names(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "4:memory:/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "600000\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "500000\n",
        "sys/fs/cgroup/memory/memory.stat": "active_file 7\ntotal_active_file 200000\ntotal_inactive_file 100000\n",
    }
    assert read_memory(machine(tmp_path, **files)) == Memory(600_000, 400_000, is_limited=True)


def test_the_older_kind_of_limit_is_read_where_only_its_top_is_seen(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "5:cpu:/\n4:memory:/docker/abc\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "600000\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "100000\n",
    }
    assert read_memory(machine(tmp_path, **files)) == Memory(600_000, 500_000, is_limited=True)


@pytest.mark.parametrize("limit", ["9223372036854771712", "999999999999"])
def test_a_limit_above_what_there_is_is_none(tmp_path: Path, limit: str) -> None:
    files = {"proc/self/cgroup": "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": limit}
    assert read_memory(machine(tmp_path, **files)) == Memory(2_048_000, 1_024_000)


def test_folders_that_do_not_exist_yet_are_judged_by_where_they_will_be(tmp_path: Path) -> None:
    assert is_writable(tmp_path / "a" / "b") and free_bytes(tmp_path / "a" / "b") > 0
    assert not is_writable(write(tmp_path / "file", "") / "below")
