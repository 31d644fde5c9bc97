"""SIGTERM and SIGHUP on the screen: the terminal is given back as it was, and no process stays behind."""

import contextlib
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command_line import COMMAND, ROOT

pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc"),
]

GIVEN_BACK = ("\033[?1049l", "\033[?25h", "\033[?1000l", "\033[?1003l", "\033[?2004l")
"""The alternate screen is left, the cursor shown, the mouse and bracketed paste are off."""


class Terminal:
    """The screen in a pseudo-terminal of its own, as a shell starts it."""

    def __init__(self, home: Path) -> None:
        self.ours, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "SPARKDESK_HOME": str(home), "GOMP_SPINCOUNT": "1000"}
        self.process = subprocess.Popen(
            (*COMMAND, "demo", "--threads", "1"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )
        os.close(theirs)
        self.drawn = ""

    def read(self, seconds: float) -> None:
        if select.select([self.ours], [], [], seconds)[0]:
            with contextlib.suppress(OSError):  # Linux says so when the other side is closed
                self.drawn += os.read(self.ours, 65536).decode("utf-8", "replace")

    def until(self, text: str, seconds: float = 60) -> None:
        deadline_s = time.monotonic() + seconds
        while text not in self.drawn:
            assert time.monotonic() < deadline_s, f"never drawn: {text}"
            self.read(0.1)

    def type(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    def end(self, seconds: float) -> int:
        """The exit code. What is still drawn is read, or the program would wait for somebody to do so."""
        deadline_s = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline_s, "it does not end"
            self.read(0.05)
        for _ in range(20):
            self.read(0.02)
        return self.process.returncode


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    try:
        yield terminal
    finally:
        terminal.process.kill()
        with contextlib.suppress(OSError):
            os.close(terminal.ours)


def engine_of(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError, IndexError):
            if int(status.read_text().split("PPid:")[1].split()[0]) == pid:
                found.append(int(status.parent.name))
    return found


def is_gone(pid: int, seconds: float = 2.0) -> bool:
    deadline_s = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return not Path(f"/proc/{pid}").exists()


READY, REPLYING, LOADING, STOPPED = "ready", "in mid-reply", "while it loads", "with a stopped engine"


def bring_to(terminal: Terminal, moment: str) -> None:
    terminal.until("\033[?1049h")
    if moment == LOADING:
        return
    terminal.until("Write below")
    if moment in (REPLYING, STOPPED):
        terminal.type("Count from 1 to 40.\r")
        terminal.until("10, 11")
    if moment == STOPPED:
        for pid in engine_of(terminal.process.pid):
            os.kill(pid, signal.SIGSTOP)


@pytest.mark.parametrize("moment", [READY, REPLYING, LOADING, STOPPED])
def test_sigterm_gives_the_terminal_back(terminal: Terminal, moment: str) -> None:
    """It was left in its alternate screen with the mouse on, 20 times of 20."""
    bring_to(terminal, moment)
    engines, began_s = engine_of(terminal.process.pid), time.monotonic()
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end(seconds=10) == 128 + signal.SIGTERM
    assert time.monotonic() - began_s < 4
    last_screen = terminal.drawn.rpartition("\033[?1049h")[2]
    assert [each for each in GIVEN_BACK if each not in last_screen] == []
    assert "Traceback" not in terminal.drawn
    assert all(map(is_gone, engines))


@pytest.mark.parametrize("notices_after_s", [0.0, 2.0])
@pytest.mark.parametrize("moment", [READY, REPLYING])
def test_a_terminal_that_is_closed_ends_everything(terminal: Terminal, moment: str, notices_after_s: float) -> None:
    """SIGHUP; nothing can be drawn any more, and whoever tries waits for ever."""
    bring_to(terminal, moment)
    engines = engine_of(terminal.process.pid)
    assert engines
    os.close(terminal.ours)
    time.sleep(notices_after_s)
    terminal.process.send_signal(signal.SIGHUP)
    assert terminal.process.wait(10) == 128 + signal.SIGHUP
    assert all(map(is_gone, engines))
