"""What the doctor looks at, gathered without judging: this machine, its folders, and what llama.cpp says of itself."""

import importlib.metadata
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sparkdesk import __version__
from sparkdesk.build_flags import BuildMachine, this_machine
from sparkdesk.config.home import widely_readable
from sparkdesk.config.paths import Paths
from sparkdesk.config.settings import Settings, read_settings
from sparkdesk.doctor.experts import Mixtures, mixtures_of
from sparkdesk.doctor.install import Installation, Toolkits, find_installation, find_toolkits
from sparkdesk.errors import UsageError
from sparkdesk.library import read_library
from sparkdesk.library.files import find_partials
from sparkdesk.library.model_dirs import find_places, hub_cache
from sparkdesk.machine import hardware
from sparkdesk.machine.child_processes import python_command, safe_environment
from sparkdesk.machine.cores import Cores, read_cores
from sparkdesk.machine.hardware import GraphicsCard, Memory, Processor
from sparkdesk.runner.crash_memory import PACKAGE, CrashMemory

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
class HubFacts:
    """The Hugging Face hub's files on this machine; the hub itself is not asked."""

    cache: FolderFact
    is_readable: bool = True
    """Also where there is no cache yet."""
    unreadable_token: Path | None = None
    is_offline: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the checks look at."""

    version: str
    python: tuple[int, int, int]
    package_version: str
    """Of llama-cpp-python; empty when it is not installed."""
    llama: LlamaFacts
    processor: Processor
    cores: Cores
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
    toolkits: Toolkits
    hub: HubFacts
    settings_problem: str = ""
    threads_setting: int = 0
    missing_model_folders: tuple[str, ...] = ()
    leftover_bytes: int = 0
    widely_readable: tuple[Path, ...] = ()
    """Of our files and folders, those that other users may open."""
    installation: Installation = field(default_factory=Installation)
    mixtures: Mixtures = field(default_factory=Mixtures)
    """Installed mixtures of experts, looked for only where there is a card."""


def gather(paths: Paths, *, screen_problem: Callable[[Settings], str] = lambda settings: "") -> Facts:
    """Look at this machine. Takes a moment: llama.cpp is asked in a process of its own.

    `screen_problem` is what the screen says of settings that only it knows: themes and keys.
    """
    settings, settings_problem = _settings(paths)
    settings_problem = settings_problem or screen_problem(settings)
    cards = hardware.find_graphics_cards()
    partials = find_partials(find_places(paths.models, settings.model_folders))
    return Facts(
        version=__version__,
        python=sys.version_info[:3],
        package_version=_package_version(),
        llama=probe_llama(),
        processor=hardware.read_processor(),
        cores=read_cores(),
        threads_setting=settings.threads,
        memory=hardware.read_memory(),
        cards=cards,
        build=this_machine(),
        crashed_with_fast_buffers=CrashMemory(paths.machine_file).needs_safe_buffers,
        folders=tuple(_folder_fact(path) for path in (paths.data, paths.state, paths.config)),
        terminal=os.environ.get("TERM", "") if sys.stderr.isatty() else "",
        color_term=os.environ.get("COLORTERM", ""),
        no_color=bool(os.environ.get("NO_COLOR")),
        toolkits=find_toolkits() if cards else Toolkits(),
        hub=_hub_facts(hub_cache()),
        settings_problem=settings_problem,
        missing_model_folders=tuple(
            folder for folder in settings.model_folders if not os.path.isdir(os.path.expanduser(folder))
        ),
        installation=find_installation(sys.executable, sys.prefix, shutil.which("python")),
        widely_readable=widely_readable(paths),
        mixtures=mixtures_of(read_library(paths, settings), settings) if cards else Mixtures(),
        leftover_bytes=sum(each.size_bytes for each in partials if not each.is_in_use),
    )


def probe_llama(command: tuple[str, ...] = python_command("sparkdesk.doctor.probe")) -> LlamaFacts:
    """Ask llama.cpp in a child process, which it may end."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False, env=safe_environment()
        )
    except subprocess.TimeoutExpired:
        return LlamaFacts(problem=f"it did not answer in {_PROBE_SECONDS:.0f} seconds")
    if done.returncode != 0:
        return LlamaFacts(problem=_exit_in_words(done.returncode, done.stderr))
    return _llama_facts(json.loads(done.stdout))


def _package_version() -> str:
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _folder_fact(path: Path) -> FolderFact:
    return FolderFact(path, hardware.is_writable(path), hardware.free_bytes(path))


def _settings(paths: Paths) -> tuple[Settings, str]:
    try:
        return read_settings(paths.settings_file), ""
    except UsageError as error:
        return Settings(), error.message


def _hub_facts(cache: Path) -> HubFacts:
    token = Path(os.environ.get("HF_TOKEN_PATH") or cache.parent / "token")
    has_token = not os.environ.get("HF_TOKEN") and os.path.isfile(token)
    return HubFacts(
        _folder_fact(cache),
        is_readable=not os.path.exists(cache) or os.access(cache, os.R_OK | os.X_OK),
        unreadable_token=token if has_token and not os.access(token, os.R_OK) else None,
        is_offline=os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"),
    )


def _llama_facts(found: dict[str, object]) -> LlamaFacts:
    devices = found.pop("devices")
    symbols = found.pop("missing_symbols")
    assert isinstance(devices, list) and isinstance(symbols, list)
    return LlamaFacts(
        **found,  # type: ignore[arg-type]  # probe names its keys as the fields are named
        devices=tuple(DeviceFact(**device) for device in devices),
        missing_symbols=tuple(symbols),
    )


def _exit_in_words(exit_code: int, stderr: str) -> str:
    if exit_code < 0:
        try:
            return f"the process died of {signal.Signals(-exit_code).name}"
        except ValueError:
            return f"the process died of signal {-exit_code}"
    lines = stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {exit_code}, on {platform.platform()}"
