"""Asks the machine what a build for graphics cards could use: the driver's CUDA release, and compilers."""

import json
import shutil
import subprocess
from pathlib import Path

from sparkdesk.build_flags import cuda_release
from sparkdesk.doctor.install import Toolkits
from sparkdesk.machine.child_processes import safe_environment

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
