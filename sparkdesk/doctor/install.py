"""The command that installs llama.cpp as this machine needs it. Pure: says, does not do."""

import json
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sparkdesk.build_flags import CUDA_WHEELS, cuda_release
from sparkdesk.machine.child_processes import safe_environment
from sparkdesk.runner.crash_memory import PACKAGE

_X86_64 = ("x86_64", "AMD64")
_NEEDS_CUDA = "(install the CUDA toolkit first: nvcc was not found)"
_NEEDS_ROCM = "(install ROCm, or Vulkan's shader compiler glslc, first)"


@dataclass(frozen=True, slots=True)
class Toolkits:
    """What a build for graphics cards would use."""

    cuda: tuple[int, int] = (0, 0)
    """The newest CUDA release that the driver runs; (0, 0) where nobody says."""
    has_nvcc: bool = False
    has_hipcc: bool = False
    has_glslc: bool = False
    """Vulkan's shader compiler."""


@dataclass(frozen=True, slots=True)
class Installation:
    """How to reach the Python that runs SparkDesk from a shell."""

    pip: str = "pip"
    python: str = "python"


def find_installation(executable: str, prefix: str, shell_python: str | None) -> Installation:
    """`shell_python` is what the shell takes for python, or None."""
    if "/pipx/venvs/" in prefix.replace("\\", "/") + "/":
        return Installation("pipx runpip sparkdesk", shlex.quote(executable))
    if shell_python is not None and Path(shell_python).parent == Path(executable).parent:
        return Installation()
    return Installation(f"{shlex.quote(executable)} -m pip", shlex.quote(executable))


def for_this_python(command: str, installation: Installation) -> str:
    """A command about "pip" and "python", for an environment that need not be active in the user's shell."""
    command = re.sub(r"\bpip install\b", lambda _: f"{installation.pip} install", command)
    return re.sub(r"\bpython -m sparkdesk", lambda _: f"{installation.python} -m sparkdesk", command)


def plain_install(version: str) -> str:
    package = f"{PACKAGE}=={version}" if version else PACKAGE
    return f"pip install --force-reinstall --no-deps --no-cache-dir {package}"


def safe_install(version: str) -> str:
    """Prebuilt where that can be had, else compiled with the flags that this machine needs."""
    return f'eval "$(python -m sparkdesk.build_flags)" && {plain_install(version)}'


def compiled_install(version: str) -> str:
    """Compiled here, where a prebuilt one lacks something."""
    return f'eval "$(SPARKDESK_COMPILE=1 python -m sparkdesk.build_flags)" && {plain_install(version)}'


def graphics_install(vendor: str, architecture: str, toolkits: Toolkits, version: str) -> str:
    """A build that uses the card, and what it needs first where it cannot be had prebuilt."""
    command = safe_install(version)
    if vendor == "NVIDIA":
        # For ARM, as in a DGX Spark, there are no wheels.
        is_prebuilt = architecture in _X86_64 and toolkits.cuda >= CUDA_WHEELS[0]
        return command if is_prebuilt or toolkits.has_nvcc else f"{command} {_NEEDS_CUDA}"
    if vendor == "AMD" and not (toolkits.has_hipcc or toolkits.has_glslc):
        return f"{command} {_NEEDS_ROCM}"
    return command


_SECONDS = 10.0


def find_toolkits(cuda_home: Path = Path("/usr/local/cuda")) -> Toolkits:
    return Toolkits(
        cuda=cuda_release(_said_by_driver()) or _installed_release(cuda_home),
        has_nvcc=bool(shutil.which("nvcc")) or (cuda_home / "bin" / "nvcc").exists(),
        has_hipcc=bool(shutil.which("hipcc")) or Path("/opt/rocm/bin/hipcc").exists(),
        has_glslc=bool(shutil.which("glslc")),
    )


def _said_by_driver() -> str:
    try:
        done = subprocess.run(
            ["nvidia-smi"], capture_output=True, text=True, timeout=_SECONDS, check=False, env=safe_environment()
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def _installed_release(cuda_home: Path) -> tuple[int, int]:
    try:
        version = json.loads((cuda_home / "version.json").read_text("utf-8"))["cuda"]["version"]
        major, minor, *_ = str(version).split(".")
        return int(major), int(minor)
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0
