"""What the screen costs while a reply streams, in a real pseudo-terminal and without an engine.

python -m tests.ui.measure [keys|cpu|long]
"""

import json
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from itertools import pairwise
from pathlib import Path
from termios import TIOCSWINSZ

COLUMNS, ROWS = 140, 40
FRAME = b"\x1b[?2026h"
_QUERY, _ANSWER = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
_READY = b"Write below"
_LETTERS = [chr(code) for code in range(0x4E00, 0x4E00 + 400)]
"""Letters that are nowhere else on the screen."""


class Terminal:
    """A program in a terminal that notes when pictures came."""

    def __init__(self, command: list[str]) -> None:
        self._ours, theirs = pty.openpty()
        ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        self.frames: list[float] = []
        self._seen = b""

    def write(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def until(self, text: bytes, seconds: float = 30.0) -> float:
        """Read until `text` has come; returns when that was."""
        self._seen = b""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.read(0.01)
            if text in self._seen:
                return time.monotonic()
        sys.exit(f"waited in vain for {text.decode()!r}")

    def read(self, seconds: float) -> None:
        """What there is, waiting no longer than that for it."""
        if not select.select([self._ours], [], [], seconds)[0]:
            return
        try:
            data = os.read(self._ours, 1 << 20)
        except OSError:  # the program has ended
            return
        if _QUERY in data:
            os.write(self._ours, _ANSWER)
        self.frames += [time.monotonic()] * data.count(FRAME)
        self._seen = (self._seen + data)[-(1 << 16) :]

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self.write("\x11")
        deadline = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read(0.05)
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@contextmanager
def replying(*, rate: float, tokens: int) -> Iterator[tuple[Terminal, Path]]:
    """A desk in whose transcript a reply is coming in."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "tests.ui.measured_desk", str(rate), str(tokens), str(report)]
        terminal = Terminal(command)
        try:
            terminal.until(_READY)
            terminal.write("go\r")
            terminal.until(b"Esc stops")
            yield terminal, report
        finally:
            terminal.close()


def measure_keys(rate: float = 2000.0) -> None:
    echoes_ms = []
    with replying(rate=rate, tokens=200_000) as (terminal, _):
        for letter in _LETTERS[:200]:
            pressed_at = time.monotonic()
            terminal.write(letter)
            echoes_ms.append(1e3 * (terminal.until(letter.encode()) - pressed_at))
            rest_until = time.monotonic() + 0.07
            while time.monotonic() < rest_until:
                terminal.read(0.01)
    echoes_ms.sort()
    middle, late = statistics.median(echoes_ms), echoes_ms[int(0.95 * len(echoes_ms))]
    print(f"keys at {rate:.0f} tok/s: median {middle:.0f} ms, 95 % within {late:.0f} ms, last {echoes_ms[-1]:.0f} ms")


def measure_cpu(rate: float = 100.0, seconds: float = 15.0) -> None:
    with replying(rate=rate, tokens=100_000) as (terminal, _):
        cpu_before, began = terminal.cpu_s(), time.monotonic()
        frames_before = len(terminal.frames)
        while time.monotonic() < began + seconds:
            terminal.read(0.05)
        share = (terminal.cpu_s() - cpu_before) / (time.monotonic() - began)
        pictures = (len(terminal.frames) - frames_before) / seconds
    print(f"cpu at {rate:.0f} tok/s: {100 * share:.1f} % of one core, {pictures:.1f} pictures/s")


def measure_long(rate: float = 2000.0, tokens: int = 20_000) -> None:
    with replying(rate=rate, tokens=tokens) as (terminal, report):
        while not (marks := _marks(report)) or marks[-1][0] < tokens:
            terminal.read(0.05)
        frames = list(terminal.frames)
    rows = []
    for (_, began, cpu_before), (count, ended, cpu_after) in pairwise(marks):
        pictures = sum(began <= frame < ended for frame in frames)
        rows.append((count, 1e3 * (cpu_after - cpu_before), pictures, ended - began))
    for count, cpu_ms, pictures, elapsed_s in (rows[0], rows[1], rows[len(rows) // 2], rows[-2], rows[-1]):
        each = cpu_ms / pictures if pictures else float("nan")
        print(
            f"tokens to {count}: {cpu_ms:.0f} ms of the screen's thread, {pictures} pictures, {each:.1f} ms each, "
            f"{elapsed_s:.2f} s"
        )


def _marks(report: Path) -> list[tuple[int, float, float]]:
    try:
        return [tuple(mark) for mark in json.loads(report.read_text())]
    except (FileNotFoundError, ValueError):  # not there yet, or being written
        return []


def main() -> None:
    measures = {"keys": measure_keys, "cpu": measure_cpu, "long": measure_long}
    parser = ArgumentParser(prog="python -m tests.ui.measure", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", nargs="*", choices=[*measures, []], help="all when none is named")
    for name in parser.parse_args().what or measures:
        measures[name]()


if __name__ == "__main__":
    main()
