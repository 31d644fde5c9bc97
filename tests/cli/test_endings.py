"""How a command ends when it does not end well: interrupted, cut off, or by a mistake of ours."""

import os
import signal
import subprocess
import time
from argparse import Namespace
from pathlib import Path

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.cli import app, paths
from sparkdesk.error_log import write_log
from tests.cli.command_line import COMMAND, ROOT, TIMEOUT_SECONDS, chat, numbers

ENDLESS = ("--ignore-eos", "--temperature", "0", "--ctx", "32000")


def start_endless(pair: SyntheticPair) -> "subprocess.Popen[bytes]":
    """A reply that goes on, at a point where some of it has come."""
    command = (*COMMAND, *chat(pair, "--prompt-tokens", numbers(pair.prompt_tokens), *ENDLESS))
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, start_new_session=True
    )
    assert process.stdout is not None and process.stdout.read(8)
    return process


def others_in_group(group: int) -> list[str]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(status.parent.name)
    return found


@pytest.mark.native
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="counts processes in /proc")
@pytest.mark.parametrize("reaches", ["the group, as a terminal's Ctrl+C does", "the parent alone"])
def test_ctrl_c_ends_the_reply_and_the_engine(reaches: str, synthetic_pair: SyntheticPair) -> None:
    process = start_endless(synthetic_pair)
    send = os.killpg if reaches.startswith("the group") else os.kill
    send(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 130
    assert b"Traceback" not in said
    deadline = time.monotonic() + 10
    while others_in_group(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert others_in_group(process.pid) == []


@pytest.mark.native
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="counts processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_ways_to_end_it_end_the_engine_too(number: signal.Signals, synthetic_pair: SyntheticPair) -> None:
    process = start_endless(synthetic_pair)
    process.send_signal(number)
    _, said = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 128 + number
    assert b"Traceback" not in said
    assert others_in_group(process.pid) == []


@pytest.mark.native
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_conversion_that_is_ended_leaves_nothing_half_written(number: signal.Signals, tmp_path: Path) -> None:
    """27 of 83 killed writers left their temporaries."""
    folder = tmp_path / "out"
    folder.mkdir()
    shape = ("--hidden", "512", "--layers", "12", "--vocabulary", "60000")
    command = (*COMMAND, "bench", "synth", "--out", str(folder / "pair"), *shape)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not any(path.stat().st_size > 1_000_000 for path in folder.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    _, said = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 128 + number, said
    assert list(folder.iterdir()) == [] and b"Traceback" not in said


@pytest.mark.native
def test_a_reader_that_goes_away_is_no_error(synthetic_pair: SyntheticPair) -> None:
    process = start_endless(synthetic_pair)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(TIMEOUT_SECONDS) == 141
    assert b"Traceback" not in said and b"sparkdesk:" not in said  # progress of a slow load may be there


def test_a_mistake_of_ours_is_one_line_and_a_stack_in_the_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], isolated_home: Path
) -> None:
    def fail(options: Namespace) -> int:
        raise RuntimeError("a secret prompt")

    monkeypatch.setattr(paths, "run", fail)
    assert app.run(["paths"]) == 70
    shown = capsys.readouterr()
    log = isolated_home / "state" / "logs" / "errors.log"
    assert shown.out == "" and str(log) in shown.err and "Traceback" not in shown.err
    written = log.read_text()
    assert "RuntimeError" in written and "in fail" in written
    assert "secret prompt" not in written.replace('raise RuntimeError("a secret prompt")', "")


def test_the_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    (tmp_path / "errors.log").write_text("x" * 1_000_001)
    assert write_log(ValueError(), tmp_path).stat().st_size < 10_000


def test_ctrl_c_in_a_command_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(options: Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(paths, "run", interrupt)
    assert app.run(["paths"]) == 130
