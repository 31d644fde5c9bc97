"""The screen from the command line, in a terminal of its own."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair
from tests.cli.command_line import COMMAND, ROOT, TIMEOUT_SECONDS

TERMINAL = {"TERM": "xterm-256color", "SPARKDESK_EXIT_AFTER_FIRST_PAINT": "1"}


def in_a_terminal(*arguments: str, home: Path) -> tuple[int, str]:
    """Exit code, and everything that was drawn."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, **TERMINAL, "SPARKDESK_HOME": str(home)}
    process = subprocess.Popen(
        (*COMMAND, *arguments), stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=environment
    )
    os.close(theirs)
    drawn = b""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    try:
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 0.05)[0]:
                chunk = _read(ours)
                drawn += chunk
                if not chunk:
                    break
            elif process.poll() is not None:
                break
        return process.wait(10), drawn.decode("utf-8", "replace")
    finally:
        process.kill()
        os.close(ours)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other side is closed
        return b""


@pytest.mark.parametrize("command", [(), ("demo",)])
def test_it_opens_on_spark_tiny(command: tuple[str, ...], tmp_path: Path) -> None:
    code, drawn = in_a_terminal(*command, home=tmp_path)
    assert code == 0 and "Spark Tiny" in drawn


@pytest.mark.parametrize("command", [(), ("chat",)])
def test_it_opens_on_the_pair_that_is_named(
    command: tuple[str, ...], synthetic_pair: SyntheticPair, tmp_path: Path
) -> None:
    pair = ("--target", str(synthetic_pair.target), "--draft", str(synthetic_pair.draft))
    code, drawn = in_a_terminal(*command, *pair, home=tmp_path)
    assert code == 0 and "tiny-target" in drawn


def test_what_is_wrong_is_said_before_the_screen_opens(tmp_path: Path) -> None:
    settings = tmp_path / "config" / "settings.toml"
    settings.parent.mkdir()
    settings.write_text('theme = "plaid"')
    code, drawn = in_a_terminal(home=tmp_path)
    assert code == 2 and "'plaid'" in drawn and "\033[?1049h" not in drawn
    code, drawn = in_a_terminal("--target", "no-such.gguf", home=tmp_path)
    assert code == 4 and "no-such.gguf is not a file" in drawn


def test_a_draft_of_another_target_is_said_before_anything_is_loaded(
    synthetic_pair: SyntheticPair, tmp_path: Path
) -> None:
    """The screen once opened with "no speculation" and half a sentence."""
    pair = ("--target", str(synthetic_pair.target), "--draft", str(synthetic_pair.target))
    for command in ((), ("chat",)):
        code, drawn = in_a_terminal(*command, *pair, home=tmp_path)
        assert code == 4 and "the target runs alone" in " ".join(drawn.split()) and "\033[?1049h" not in drawn


FAULTY = """
import sys
from sparkdesk.cli import app
from sparkdesk.ui.shared.prompt import Prompt

def fail(self):
    draft_of_the_user = self.text
    raise ValueError(f"not for the log: {draft_of_the_user}")

Prompt.action_undo = fail
sys.exit(app.run(["demo"]))
"""


@pytest.mark.native
@pytest.mark.parametrize(("answers", "code"), [((b"\r", b"\x11"), 0), ((b"q",), 70)])
def test_an_unexpected_error_ends_in_a_sentence_on_a_real_terminal(
    answers: tuple[bytes, ...], code: int, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "SPARKDESK_HOME": str(tmp_path)}
    environment.pop("SPARKDESK_EXIT_AFTER_FIRST_PAINT", None)
    command = (sys.executable, "-c", FAULTY)
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=environment)
    os.close(theirs)
    drawn = b""

    def until(words: bytes) -> None:
        nonlocal drawn
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while words not in drawn:
            assert time.monotonic() < deadline, drawn[-2000:]
            if select.select([ours], [], [], 0.05)[0]:
                chunk = _read(ours)
                assert chunk, drawn[-2000:]
                drawn += chunk

    try:
        until(b"Ctrl+S switches")
        os.write(ours, b"precious words")
        until(b"precious")
        os.write(ours, b"\x1a")
        until(b"unexpected error")
        drawn = b""
        for answer in answers:
            os.write(ours, answer)
            until(b"precious")  # at the prompt again, or below the sentence that says goodbye
        while select.select([ours], [], [], 5.0)[0] and (chunk := _read(ours)):
            drawn += chunk
        assert process.wait(30) == code
    finally:
        process.kill()
        os.close(ours)
    assert b"Traceback" not in drawn and b"locals" not in drawn
    written = (tmp_path / "state" / "logs" / "errors.log").read_text()
    assert "in fail" in written and "precious" not in written
