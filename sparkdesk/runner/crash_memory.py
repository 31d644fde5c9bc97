"""Remembers, across runs, that the engine's fast weight buffers crash on this machine; knows nothing of processes."""

import contextlib
import importlib.metadata
import importlib.util
import json
import platform
from pathlib import Path
from typing import Any

from converters.regular_file import read_regular_text
from sparkdesk.atomic_file import write_whole

_SECTION = "crashed_with_repacked_weights"
PACKAGE = "llama-cpp-python"


class CrashMemory:
    """One JSON file; without a path nothing is remembered. Other sections of the file are left as they are."""

    def __init__(self, path: Path | None, *, build: str | None = None) -> None:
        self._path = path
        self._build = build if build is not None else build_fingerprint()

    @property
    def needs_safe_buffers(self) -> bool:
        """Whether this build of llama.cpp has crashed on this processor, and ran without repacked weights."""
        return self._build in self._section(self._read())

    def remember_crash(self, signal_name: str) -> None:
        everything = self._read()
        everything[_SECTION] = {**self._section(everything), self._build: signal_name}
        if self._path is not None:
            with contextlib.suppress(OSError):  # a full or read-only disk costs one more crash, not the load
                write_whole(self._path, json.dumps(everything, indent=2) + "\n")

    def _read(self) -> dict[str, Any]:
        """A file that is missing or broken is an empty one: at worst the crash is met once more."""
        if self._path is None:
            return {}
        try:
            content = json.loads(read_regular_text(self._path))
        except (OSError, ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}

    @staticmethod
    def _section(everything: dict[str, Any]) -> dict[str, Any]:
        section = everything.get(_SECTION)
        return section if isinstance(section, dict) else {}


def build_fingerprint() -> str:
    """Version and libraries of llama.cpp, and the processor: a rebuilt library gets a fresh chance."""
    try:
        version = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        version = "none"
    return f"{PACKAGE} {version}, built {_built_at_s()}, {_processor()}"


def _built_at_s() -> int:
    """When the newest library of the package was written."""
    package = importlib.util.find_spec("llama_cpp")  # finds, does not import
    folders = package.submodule_search_locations if package else None
    libraries = [path for folder in folders or () for path in Path(folder, "lib").glob("*ggml*")]
    return max((int(path.stat().st_mtime) for path in libraries), default=0)


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
