"""How long until something is to be seen: `sparkdesk --help`, and the first paint of the screen in a terminal.

python -m sparkdesk.bench.lab.startup
"""

import os
import pty
import select
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable

from sparkdesk.bench.lab.measure import spread
from sparkdesk.machine.child_processes import python_command, safe_environment

_HELP = python_command("sparkdesk", "--help")
_SCREEN = python_command("sparkdesk")
_EXIT_AFTER_FIRST_PAINT = {"SPARKDESK_EXIT_AFTER_FIRST_PAINT": "1", "TERM": "xterm-256color", "COLORTERM": "truecolor"}
_READ_BYTES = 65536
_PATIENCE_SECONDS = 60.0


def main() -> None:
    parser = ArgumentParser(prog="python -m sparkdesk.bench.lab.startup", description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=10)
    repeat: int = parser.parse_args().repeat
    for name, run in (("sparkdesk --help", _help_seconds), ("first paint", _screen_seconds)):
        middle, least, most = spread(_timed(run, repeat))
        print(f"{name}: median {middle:.3f} s of {repeat} ({least:.3f}..{most:.3f})", flush=True)


def _timed(run: Callable[[], float], repeat: int) -> list[float]:
    return [run() for _ in range(repeat)]


def _help_seconds() -> float:
    began = time.perf_counter()
    subprocess.run(_HELP, stdout=subprocess.DEVNULL, check=True, env=safe_environment())
    return time.perf_counter() - began


def _screen_seconds() -> float:
    """From the start of the program to its end, which comes right after the first paint."""
    ours, theirs = pty.openpty()
    began = time.perf_counter()
    environment = {**safe_environment(), **_EXIT_AFTER_FIRST_PAINT}
    process = subprocess.Popen(_SCREEN, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    _drain(ours, process)
    elapsed = time.perf_counter() - began
    os.close(ours)
    if process.wait() != 0:
        sys.exit(f"the screen ended with exit code {process.returncode}")
    return elapsed


def _drain(terminal: int, process: "subprocess.Popen[bytes]") -> None:
    """A terminal that nobody reads fills up and holds the program."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.01)[0]:
            try:
                os.read(terminal, _READ_BYTES)
            except OSError:  # Linux says so when the other side is closed
                process.wait()
    process.kill()


if __name__ == "__main__":
    main()
