"""A whole visit to the desk in a real terminal: tmux types and looks, Spark Tiny answers, and its engine is killed."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.command_line import COMMAND, ROOT

pytestmark = [
    pytest.mark.native,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]
_PATIENCE_S = 180.0
"""Generous: the machine may be busy, and the pair is converted first."""


@dataclass
class Terminal:
    """A tmux server of its own with one window of 80 by 24."""

    socket: Path

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ("tmux", "-S", str(self.socket), "-f", "/dev/null", *arguments),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", "-t", "desk", *keys)

    def press_until(self, key: str, condition: Callable[[], object], what: str) -> None:
        """Again and again: at first it may be too early for it."""

        def press_and_look() -> object:
            self.press(key)
            return condition()

        self.until(press_and_look, what)

    def write(self, text: str) -> None:
        self.tmux("send-keys", "-t", "desk", "-l", text)

    def asks(self, format_text: str) -> str:
        return self.tmux("display-message", "-p", "-t", "desk", format_text).strip()

    @property
    def picture(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "desk")

    def until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}; on the screen is:\n{self.picture}"
            time.sleep(0.2)

    def sees(self, words: str) -> None:
        self.until(lambda: words in self.picture, repr(words))

    def misses(self, words: str) -> None:
        self.until(lambda: words not in self.picture, f"the end of {words!r}")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path / "tmux")
    environment = {"SPARKDESK_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    variables = [part for name, value in environment.items() for part in ("-e", f"{name}={value}")]
    made.tmux("new-session", "-d", "-s", "desk", "-x", "80", "-y", "24", "-c", str(tmp_path), *variables, "sh")
    try:
        yield made
    finally:
        made.tmux("kill-server")


def engine_of(terminal: Terminal) -> int | None:
    """The process that runs llama.cpp, among those that descend from the terminal's shell."""
    known = {int(terminal.asks("#{pane_pid}"))}
    processes = [_about(Path("/proc", name)) for name in os.listdir("/proc") if name.isdigit()]
    for number, parent, command in sorted(filter(None, processes)):
        if parent in known:
            known.add(number)
            if "sparkdesk.runner.child" in command:
                return number
    return None


def _about(process: Path) -> tuple[int, int, str] | None:
    """Number, parent, command line; None when it has ended meanwhile."""
    try:
        parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
        return int(process.name), int(parent), (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return None


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for the engine's process in /proc")
def test_a_visit_from_the_first_key_to_the_last(terminal: Terminal, tmp_path: Path) -> None:
    terminal.write(f"stty -g > before; {shlex.join(COMMAND)} demo; echo left with $?; stty -g > after")
    terminal.press("Enter")
    terminal.sees("Write below, or try one of these")
    assert terminal.asks("#{alternate_on}") == "1"

    terminal.write("Count from 1 to 10.")
    terminal.press("Enter")
    terminal.until(lambda: is_answered(terminal), "the answer")
    assert "8, 9, 10" in " ".join(terminal.picture.split())

    terminal.press("F4")
    terminal.sees("○ speculation OFF")
    terminal.press("C-s")
    terminal.sees("● speculation ON")

    terminal.press("F1")
    terminal.sees("Type to search")
    terminal.press("Escape")
    terminal.misses("Type to search")

    engine = engine_of(terminal)
    assert engine is not None
    os.kill(engine, signal.SIGSTOP)  # or the reply would be over before it could be killed
    terminal.write("Tell me a little story.")
    terminal.press("Enter")
    terminal.sees("reading the prompt")
    os.kill(engine, signal.SIGKILL)
    terminal.sees("SIGKILL")
    terminal.sees("Ctrl+R reloads")
    terminal.press("C-r")
    terminal.misses("Ctrl+R reloads")
    terminal.until(lambda: engine_of(terminal) not in (None, engine), "another engine")
    assert "Tell me a little story." in terminal.picture, "the conversation stays"
    terminal.write("Count from 1 to 10.")
    terminal.press_until("Enter", lambda: is_answered(terminal), "a reply of the other engine")

    terminal.press("C-q")
    terminal.sees("left with 0")
    assert (terminal.asks("#{alternate_on}"), terminal.asks("#{cursor_flag}")) == ("0", "1")
    assert terminal.asks("#{mouse_any_flag}") == "0"
    terminal.until(lambda: (tmp_path / "after").is_file(), "the shell")
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()
    assert engine_of(terminal) is None


def is_answered(terminal: Terminal) -> bool:
    """Whether the newest reply came to its end, however fast and with whatever speculation the machine allows."""
    ends = re.findall(r"tok/s · \d+ tokens|interrupted", terminal.picture)
    return bool(ends) and ends[-1] != "interrupted"
