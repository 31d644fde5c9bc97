"""Explains how the engine's process ended: by which signal, while doing what, and the end of its stderr."""

import re
import signal
from dataclasses import dataclass

from sparkdesk.errors import EngineClosed, EngineCrashed, EngineError, EngineStalled

MEMORY_HINT = "Free some memory, or choose a shorter context (--ctx) or a smaller model, and load it again."
LOADING_TARGET = "loading the target"
RELOAD_HINT = "Load the model again; the conversation is kept."

_CAUSES = {
    "SIGKILL": "was killed (SIGKILL), often by the system when memory ran out,",
    "SIGSEGV": "crashed (SIGSEGV: a bad memory access)",
    "SIGBUS": "crashed (SIGBUS: memory or a mapped file went away)",
    "SIGABRT": "stopped itself (SIGABRT)",
    "SIGILL": "crashed (SIGILL: an instruction that this processor does not have)",
    "SIGTERM": "was asked to end (SIGTERM)",
}
_HINTS = {
    "SIGKILL": MEMORY_HINT,
    "SIGILL": "Build llama-cpp-python on this machine instead of using a ready-made wheel.",
}
FAULTS = frozenset({"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT"})
"""Signals that code brings on itself; the others come from outside."""

_ASSERTION = re.compile(r"^.*(?:GGML_ASSERT|GGML_ABORT|CUDA error|out of memory|terminate called).*$", re.MULTILINE)
_TRACE = re.compile(r"^(?:Fatal Python error|Current thread|Thread 0x|Extension modules:|  File |\s*$)")


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """How the child process ended."""

    exit_code: int
    """As Popen says it: the negative signal, or what the process returned."""
    activity: str
    """What it was asked for, in words that follow "while"; empty when it had nothing to do."""
    stderr_tail: str
    """The end of its stderr."""
    was_requested: bool = False
    """True when we ended it ourselves."""
    garbage: str = ""
    """Set when it was ended because it sent something that is no message."""
    stalled_s: float = 0.0
    """How long it had said nothing at all when it was ended for that; 0 when it was not."""

    @property
    def signal_name(self) -> str:
        """ "SIGSEGV", or "" when it ended by itself."""
        try:
            return signal.Signals(-self.exit_code).name if self.exit_code < 0 else ""
        except ValueError:
            return f"signal {-self.exit_code}"

    @property
    def is_fault(self) -> bool:
        return self.signal_name in FAULTS and not self.was_requested

    def error(self) -> EngineError:
        """What the user reads."""
        if self.was_requested:
            return EngineClosed("The engine was closed.", "Load a model to go on.")
        if self.stalled_s:
            return EngineStalled(self.sentence(), RELOAD_HINT)
        return EngineCrashed(
            self.sentence(), RELOAD_HINT if self.garbage else _HINTS.get(self.signal_name, RELOAD_HINT)
        )

    @property
    def moment(self) -> str:
        return f"while {self.activity or 'idle'}"

    def sentence(self) -> str:
        words = main_error_line(self.stderr_tail)
        return f"The engine {self._cause()} {self.moment}" + (f": {words}" if words else ".")

    def _cause(self) -> str:
        if self.garbage:
            return f"sent something unreadable and was ended ({self.garbage})"
        if self.stalled_s:
            return f"stalled: it did not react for {self.stalled_s:.0f} s and was ended"
        if not self.signal_name:
            return f"ended unexpectedly (exit code {self.exit_code})"
        return _CAUSES.get(self.signal_name, f"crashed ({self.signal_name})")


def main_error_line(stderr_tail: str) -> str:
    """The one line of stderr that says most: an assertion of llama.cpp's, else the last that is no stack trace."""
    assertion = _ASSERTION.search(stderr_tail)
    if assertion:
        return assertion.group().strip()
    lines = [line for line in stderr_tail.splitlines() if not _TRACE.match(line)]
    return lines[-1].strip() if lines else ""
