"""What this machine is made of, as the system tells it: processor, memory, graphics cards. Asks no library."""

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from sparkdesk.machine.container_memory import read_container_memory

_PCI_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD"}


@dataclass(frozen=True, slots=True)
class Processor:
    name: str
    architecture: str
    logical_cores: int


@dataclass(frozen=True, slots=True)
class Memory:
    """0 where the system does not say. In a container, what the container may use."""

    total_bytes: int
    available_bytes: int
    is_limited: bool = False
    """By a container, which has less than the machine."""


@dataclass(frozen=True, slots=True)
class GraphicsCard:
    vendor: str
    """ "NVIDIA", "AMD" or "Apple": the vendors whose cards llama.cpp is commonly built for."""
    name: str


def read_processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> Processor:
    return Processor(_model_name(cpuinfo) or platform.processor(), platform.machine(), os.cpu_count() or 1)


def read_memory(system: Path = Path("/")) -> Memory:
    sizes = {}
    for line in _lines(system / "proc/meminfo"):
        name, _, rest = line.partition(":")
        if rest.strip().endswith("kB"):
            sizes[name] = int(rest.split()[0]) * 1024
    if "MemTotal" not in sizes:
        return Memory(_total_by_sysconf(), 0)
    machine = Memory(sizes["MemTotal"], sizes.get("MemAvailable", 0))
    container = read_container_memory(system)
    if container is None or container.limit_bytes >= machine.total_bytes:
        return machine
    return Memory(container.limit_bytes, min(machine.available_bytes, container.free_bytes), is_limited=True)


def find_graphics_cards(system: Path = Path("/")) -> tuple[GraphicsCard, ...]:
    """Cards that could compute, whether or not a driver works: that is what makes a build without them a mistake."""
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return (GraphicsCard("Apple", "Apple GPU"),)
    nvidia = _nvidia_cards(system)
    found = [card for card in _pci_cards(system) if card.vendor != "NVIDIA" or not nvidia]
    return (*nvidia, *found)


def free_bytes(folder: Path) -> int:
    """Free space where `folder` is or will be."""
    existing = next((each for each in (folder, *folder.parents) if os.path.exists(each)), Path("/"))
    return shutil.disk_usage(existing).free


def is_writable(folder: Path) -> bool:
    """Whether `folder` can be written to, or made."""
    existing = next((each for each in (folder, *folder.parents) if os.path.exists(each)), Path("/"))
    return os.path.isdir(existing) and os.access(existing, os.W_OK | os.X_OK)


def _nvidia_cards(system: Path) -> tuple[GraphicsCard, ...]:
    informed = sorted((system / "proc/driver/nvidia/gpus").glob("*/information"))
    cards = [GraphicsCard("NVIDIA", _field(path, "Model") or "NVIDIA GPU") for path in informed]
    if cards:
        return tuple(cards)
    # In a container the device nodes are there and the driver's own files are not.
    nodes = (node for node in sorted((system / "dev").glob("nvidia[0-9]*")) if node.name[6:].isdigit())
    return tuple(GraphicsCard("NVIDIA", "NVIDIA GPU") for _ in nodes)


def _pci_cards(system: Path) -> tuple[GraphicsCard, ...]:
    vendors = (_text(path) for path in sorted((system / "sys/class/drm").glob("card[0-9]*/device/vendor")))
    named = (_PCI_VENDORS[vendor] for vendor in vendors if vendor in _PCI_VENDORS)
    return tuple(GraphicsCard(vendor, f"{vendor} GPU") for vendor in named)


def _model_name(cpuinfo: Path) -> str:
    return _field(cpuinfo, "model name")


def _field(path: Path, name: str) -> str:
    for line in _lines(path):
        if line.partition(":")[0].strip() == name:
            return line.partition(":")[2].strip()
    return ""


def _lines(path: Path) -> list[str]:
    return _text(path).splitlines()


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _total_by_sysconf() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # Windows has no sysconf
        return 0
