"""What the screen costs while a reply streams, in a real pseudo-terminal and without an engine.

python -m tests.ui.measure [open|keys|cpu|long]
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import ioctl
from itertools import pairwise
from pathlib import Path
from termios import TIOCSWINSZ

from tests.ui.measured_app import Mark

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

    def until_told(self, report: Path, is_enough: Callable[[list[Mark]], bool], seconds: float = 90.0) -> list[Mark]:
        """Read until the program has written enough into its report."""
        deadline = time.monotonic() + seconds
        while not is_enough(marks := _marks(report)):
            if time.monotonic() > deadline or self.process.poll() is not None:
                sys.exit("the screen did not tell what it took")
            self.read(0.05)
        return marks

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

    def waited_s(self) -> float:
        """How long the screen's and this thread were ready to run and had no processor."""
        return sum(
            int(Path(f"/proc/{process}/task/{process}/schedstat").read_text().split()[1]) / 1e9
            for process in (self.process.pid, os.getpid())
        )

    def close(self) -> None:
        self.write("\x11")
        deadline = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read(0.05)
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@contextmanager
def app_at(*, rate: float, tokens: int, messages: int = 0) -> Iterator[tuple[Terminal, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        arguments = [str(rate), str(tokens), str(messages), str(report)]
        terminal = Terminal([sys.executable, "-m", "tests.ui.measured_app", *arguments])
        try:
            yield terminal, report
        finally:
            terminal.close()


@contextmanager
def replying(*, rate: float, tokens: int) -> Iterator[tuple[Terminal, Path]]:
    """A desk in whose transcript a reply is coming in."""
    with app_at(rate=rate, tokens=tokens) as (terminal, report):
        terminal.until(_READY)
        report.unlink(missing_ok=True)
        terminal.write("go\r")
        terminal.until(b"Esc stops")
        yield terminal, report


def measure_open(messages: int = 2000) -> None:
    """From being told to show a conversation until it is painted."""
    with app_at(rate=1.0, tokens=1, messages=messages) as (terminal, report):
        marks = terminal.until_told(report, lambda marks: bool(marks))
    before, after = marks
    elapsed_ms, cpu_ms = 1e3 * (after.at_s - before.at_s), 1e3 * (after.cpu_s - before.cpu_s)
    print(f"a conversation of {messages} messages: open in {elapsed_ms:.0f} ms, {cpu_ms:.0f} ms of the screen's thread")


def measure_keys(rate: float = 2000.0) -> None:
    """From writing a letter to seeing it. A machine with other work makes the screen wait for a processor; that time
    is taken off in the second line, as far as the kernel tells it."""
    echoes_ms, own_ms = [], []
    with replying(rate=rate, tokens=200_000) as (terminal, _):
        for letter in _LETTERS[:200]:
            pressed_at, waited_s = time.monotonic(), terminal.waited_s()
            terminal.write(letter)
            elapsed_s = terminal.until(letter.encode()) - pressed_at
            echoes_ms.append(1e3 * elapsed_s)
            own_ms.append(1e3 * max(0.0, elapsed_s - (terminal.waited_s() - waited_s)))
            rest_until = time.monotonic() + 0.07
            while time.monotonic() < rest_until:
                terminal.read(0.01)
    for times_ms, how in ((echoes_ms, "as it was"), (own_ms, "without waiting for a processor")):
        times_ms.sort()
        middle, late = statistics.median(times_ms), times_ms[int(0.95 * len(times_ms))]
        print(f"keys at {rate:.0f} tok/s: median {middle:.0f} ms, 95 % within {late:.0f} ms, {how}")


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
        marks = terminal.until_told(report, lambda marks: bool(marks) and marks[-1].tokens >= tokens)
        frames = list(terminal.frames)
    quarters = marks[:: max(1, len(marks) // 4)]
    for before, after in pairwise(quarters):
        cpu_ms = 1e3 * (after.cpu_s - before.cpu_s)
        pictures = sum(before.at_s <= frame < after.at_s for frame in frames)
        each = f"{pictures} pictures, {cpu_ms / max(1, pictures):.1f} ms each"
        print(f"tokens {before.tokens} to {after.tokens}: {cpu_ms:.0f} ms of the screen's thread, {each}")


def _marks(report: Path) -> list[Mark]:
    try:
        return [Mark(*mark) for mark in json.loads(report.read_text())]
    except (FileNotFoundError, ValueError):  # not there yet, or being written
        return []


def main() -> None:
    measures = {"open": measure_open, "keys": measure_keys, "cpu": measure_cpu, "long": measure_long}
    parser = ArgumentParser(prog="python -m tests.ui.measure", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", nargs="*", choices=[*measures, []], help="all when none is named")
    for name in parser.parse_args().what or measures:
        measures[name]()


if __name__ == "__main__":
    main()
