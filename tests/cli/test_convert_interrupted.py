"""Ctrl+C during `sparkdesk convert`: exit code 130, nothing left in the folder, no stack."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command_line import ROOT, TIMEOUT_SECONDS
from tests.converters.checkpoints import make_target

# The command, slowed down so that there is a moment to interrupt; what is slow says so.
SLOW_ENCODING = """
import converters.writer as writer
quick = writer.encode
def encode(*arguments, **options):
    print("ready", flush=True)
    time.sleep(0.3)
    return quick(*arguments, **options)
writer.encode = encode
"""
SLOW_SHOWING = """
from sparkdesk.cli.console import ProgressLine
def show(self, event):
    if event.step.startswith("STEP"):
        print("ready", flush=True)
        time.sleep(600)
ProgressLine.show = show
"""
RUN = """
from sparkdesk.cli.app import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize(
    ("slow", "output_type"),
    [
        pytest.param(SLOW_ENCODING, "F16", id="while encoding"),
        pytest.param(SLOW_SHOWING.replace("STEP", "Converting"), "F16", id="while showing progress"),
        pytest.param(SLOW_SHOWING.replace("STEP", "Quantizing"), "Q4_K_M", id="in llama.cpp", marks=pytest.mark.native),
    ],
)
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, slow: str, output_type: str) -> None:
    made = make_target(tmp_path / "target", tied=False)
    folder = tmp_path / "out"
    folder.mkdir()
    arguments = ("convert", "target", str(made.folder), str(folder / "t.gguf"), "--type", output_type)
    command = (sys.executable, "-c", "import sys, time\n" + slow + RUN, *arguments)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        assert any(folder.iterdir())
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 130
    assert b"Traceback" not in said
    assert list(folder.iterdir()) == []
