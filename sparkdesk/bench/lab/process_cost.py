"""What a program costs from start to end: wall and processor time, and the memory that was its own."""

import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkdesk.machine.child_processes import safe_environment

_SAMPLE_S = 0.02
_KIB = 1024


@dataclass(frozen=True, slots=True)
class ProcessCost:
    wall_s: float
    user_s: float
    system_s: float
    peak_own_bytes: int
    """Resident, children included, without what is only mapped from files; 0 where there is no /proc."""


def run_measured(command: Sequence[str]) -> ProcessCost:
    """Run the command to its end, its talk thrown away. Raises subprocess.CalledProcessError where it fails."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    peak_bytes = 0
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=safe_environment()
    ) as process:
        try:
            while process.poll() is None:
                peak_bytes = max(peak_bytes, own_bytes(process.pid))
                time.sleep(_SAMPLE_S)
        finally:
            process.kill()
    wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return ProcessCost(wall_s, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime, peak_bytes)


def own_bytes(pid: int) -> int:
    """Resident memory of a process and its children that no file stands behind, at this moment."""
    try:
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        children = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    except OSError:  # it has ended, or there is no /proc
        return 0
    own = sum(int(fields[name].split()[0]) * _KIB for name in ("RssAnon", "RssShmem") if name in fields)
    return own + sum(own_bytes(int(child)) for child in children.split())
