"""What the doctor looks at, gathered without judging: this machine, its folders, and what llama.cpp says of itself."""

import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sparkdesk import __version__, hardware
from sparkdesk.build_flags import BuildMachine, this_machine
from sparkdesk.hardware import GraphicsCard, Memory, Processor
from sparkdesk.paths import Paths
from sparkdesk.runner.machine_memory import PACKAGE, MachineMemory

_PROBE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class DeviceFact:
    name: str
    description: str
    kind: str
    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class LlamaFacts:
    """What llama.cpp says of itself, or why it says nothing."""

    problem: str = ""
    tested_version: str = ""
    supports_gpu: bool = False
    missing_symbols: tuple[str, ...] = ()
    devices: tuple[DeviceFact, ...] = ()
    system_info: str = ""


@dataclass(frozen=True, slots=True)
class FolderFact:
    path: Path
    is_writable: bool
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the checks look at."""

    version: str
    python: tuple[int, int, int]
    package_version: str
    """Of llama-cpp-python; empty when it is not installed."""
    llama: LlamaFacts
    processor: Processor
    memory: Memory
    cards: tuple[GraphicsCard, ...]
    build: BuildMachine
    crashed_with_fast_buffers: bool
    """What was learnt when a model was loaded."""
    folders: tuple[FolderFact, ...]
    terminal: str
    """$TERM; empty outside a terminal."""
    color_term: str
    no_color: bool


def gather(paths: Paths) -> Facts:
    """Look at this machine. Takes a moment: llama.cpp is asked in a process of its own."""
    return Facts(
        version=__version__,
        python=sys.version_info[:3],
        package_version=_package_version(),
        llama=probe_llama(),
        processor=hardware.read_processor(),
        memory=hardware.read_memory(),
        cards=hardware.find_graphics_cards(),
        build=this_machine(),
        crashed_with_fast_buffers=MachineMemory(paths.machine_file).needs_safe_buffers,
        folders=tuple(_folder_fact(path) for path in (paths.data, paths.state, paths.config)),
        terminal=os.environ.get("TERM", "") if sys.stderr.isatty() else "",
        color_term=os.environ.get("COLORTERM", ""),
        no_color=bool(os.environ.get("NO_COLOR")),
    )


def probe_llama(command: tuple[str, ...] = (sys.executable, "-P", "-m", "sparkdesk.doctor_probe")) -> LlamaFacts:
    """Ask llama.cpp in a child process, which it may end."""
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        return LlamaFacts(problem=f"it did not answer in {_PROBE_SECONDS:.0f} seconds")
    if done.returncode != 0:
        return LlamaFacts(problem=_death_in_words(done.returncode, done.stderr))
    return _llama_facts(json.loads(done.stdout))


def _package_version() -> str:
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _folder_fact(path: Path) -> FolderFact:
    return FolderFact(path, hardware.is_writable(path), hardware.free_bytes(path))


def _llama_facts(found: dict[str, object]) -> LlamaFacts:
    devices = found.pop("devices")
    symbols = found.pop("missing_symbols")
    assert isinstance(devices, list) and isinstance(symbols, list)
    return LlamaFacts(
        **found,  # type: ignore[arg-type]  # doctor_probe names its keys as the fields are named
        devices=tuple(DeviceFact(**device) for device in devices),
        missing_symbols=tuple(symbols),
    )


def _death_in_words(exit_code: int, stderr: str) -> str:
    if exit_code < 0:
        try:
            return f"the process died of {signal.Signals(-exit_code).name}"
        except ValueError:
            return f"the process died of signal {-exit_code}"
    lines = stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {exit_code}, on {platform.platform()}"
