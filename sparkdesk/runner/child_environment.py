"""The environment that the engine's process starts with, above all how its threads wait.

OpenMP's threads meet at several barriers a layer, and whoever is early spins until the last one comes. By default
libgomp spins for milliseconds and LLVM's libomp for 200, which is fine where every thread has a core of its own. Where
another program runs on one of the cores, the thread that everybody waits for is not running at all, and the others burn
the very time that it needs: a model then decodes at a fraction of its speed. A spin that is bounded to some tens of
microseconds covers the usual wait and gives the core away in the unusual one (docs/performance.md has the curves).
"""

import os
import platform
from collections.abc import Mapping

from sparkdesk.machine.child_processes import safe_environment

_GOMP_SPINS, _GOMP_SPINS_WITHOUT_PAUSE = 1_000, 10_000
"""Looks at the barrier before a thread sleeps, some tens of microseconds: x86 pauses between two, others do not."""
_X86 = ("x86_64", "AMD64", "i386", "i686")
_KMP_BLOCKTIME_MS = 1
"""LLVM's libomp counts in milliseconds, and 0 would put threads to sleep at every barrier."""
_USER_DECIDES = {
    "GOMP_SPINCOUNT": ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"),
    "KMP_BLOCKTIME": ("KMP_BLOCKTIME", "OMP_WAIT_POLICY", "KMP_LIBRARY"),
}


def child_environment(given: Mapping[str, str] = os.environ, *, architecture: str = "") -> dict[str, str]:
    """`given` without its secrets, and with our defaults for what it leaves open."""
    defaults = {"GGML_NO_BACKTRACE": "1"}  # its debugger run takes seconds and says nothing to a user
    defaults |= bounded_spin(given, architecture=architecture)
    return {**defaults, **safe_environment(given)}


def bounded_spin(given: Mapping[str, str], *, architecture: str = "") -> dict[str, str]:
    """The variables that bound the spin, without those on which the user has decided already."""
    is_x86 = (architecture or platform.machine()) in _X86
    wanted = {
        "GOMP_SPINCOUNT": str(_GOMP_SPINS if is_x86 else _GOMP_SPINS_WITHOUT_PAUSE),
        "KMP_BLOCKTIME": str(_KMP_BLOCKTIME_MS),
    }
    return {name: value for name, value in wanted.items() if not any(each in given for each in _USER_DECIDES[name])}
