"""The command that installs llama.cpp as this machine needs it. Pure: says, does not do."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from sparkdesk.runner.crash_memory import PACKAGE

_WHEELS = "https://abetlen.github.io/llama-cpp-python/whl"
# CUDA releases that the package's makers build wheels for; a driver runs those of its own release and older ones.
_CUDA_WHEELS = ((12, 1), (12, 2), (12, 3), (12, 4), (12, 5), (13, 0), (13, 2))
_X86_64 = ("x86_64", "AMD64")


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
    """Compiled with the flags that this processor needs."""
    return f'eval "$(python -m sparkdesk.build_flags)" && {plain_install(version)}'


def graphics_install(vendor: str, architecture: str, toolkits: Toolkits, version: str) -> str:
    """A build that uses the card: a ready-made wheel where there is one, else compiled here.

    CMAKE_ARGS is given with a wheel too: where the index lacks this version, pip compiles.
    """
    if vendor == "NVIDIA":
        return _cuda(architecture, toolkits, version)
    if vendor == "Apple":
        return _with("-DGGML_METAL=on", version)
    if toolkits.has_hipcc or not toolkits.has_glslc:
        return _with("-DGGML_HIP=on", version)
    return _with("-DGGML_VULKAN=on", version)


def _cuda(architecture: str, toolkits: Toolkits, version: str) -> str:
    command = _with("-DGGML_CUDA=on", version)
    wheels = [release for release in _CUDA_WHEELS if release <= toolkits.cuda]
    if architecture in _X86_64 and wheels:
        major, minor = wheels[-1]
        return f"{command} --extra-index-url {_WHEELS}/cu{major}{minor}"
    # For ARM, as in a DGX Spark, there are no wheels.
    return command if toolkits.has_nvcc else f"{command} (install the CUDA toolkit first: nvcc is not here)"


def _with(flag: str, version: str) -> str:
    return f'CMAKE_ARGS="{flag}" {plain_install(version)}'
