"""The child dies in every way and at every moment; the desk lives, knows why, and starts another."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkdesk.engine.settings import GenerationSettings, LoadSettings
from sparkdesk.errors import EngineCrashed
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.crash import ProcessExit, main_error_line
from sparkdesk.runner.process import ChildProcess
from sparkdesk.runner.protocol import RoundDone, Tokenize
from tests.runner import fake_child
from tests.runner.fake_child import COMMAND

UNTIL_CANCELLED = GenerationSettings()
REPO = Path(__file__).parents[2]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def client(log: Path) -> Iterator[EngineClient]:
    with EngineClient(child_command=COMMAND) as client:
        list(client.load(LoadSettings(f"fake@{log}")))
        yield client


def child_pid(log: Path) -> int:
    return int(log.read_text().splitlines()[-1].split()[1])


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (fake_child.KILLED, "killed (SIGKILL), often by the system when memory ran out, while answering"),
        (fake_child.SEGFAULT, "crashed (SIGSEGV: a bad memory access) while answering"),
        (fake_child.ABORT, f"stopped itself (SIGABRT) while answering: {fake_child.ASSERTION}"),
        (fake_child.ABORT_IN_PREFILL, f"(SIGABRT) while reading the prompt: {fake_child.ASSERTION}"),
        (fake_child.GARBAGE, "sent something unreadable"),
    ],
)
def test_a_crash_in_a_reply_is_told_with_its_cause(client: EngineClient, behaviour: int, words: str) -> None:
    """The rounds before it arrive, then the cause; the desk must not wait for a dead process."""
    rounds = 0
    with pytest.raises(EngineCrashed) as caught:
        for event in client.generate([behaviour], UNTIL_CANCELLED):
            rounds += isinstance(event, RoundDone)
    assert words in caught.value.message
    assert caught.value.hint
    assert rounds == (0 if behaviour == fake_child.ABORT_IN_PREFILL else 3)
    assert not client.is_alive
    assert client.model is not None, "what was loaded is still shown"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM])
def test_a_crash_while_idle_is_told_at_the_next_request(
    client: EngineClient, log: Path, number: signal.Signals
) -> None:
    os.kill(child_pid(log), number)
    while client.is_alive:
        time.sleep(0.001)
    with pytest.raises(EngineCrashed, match=rf"{number.name}.* while idle"):
        client.tokenize("a")
    for _ in range(2):  # and again at each one after that
        with pytest.raises(EngineCrashed, match=number.name):
            list(client.generate([fake_child.COUNT], UNTIL_CANCELLED))
    client.cancel()
    assert not client.is_alive


def test_a_crash_is_told_at_once(client: EngineClient, log: Path) -> None:
    """No polling, no timeout: the desk notices when the pipe closes."""
    events = client.generate([fake_child.FOREVER_IN_PREFILL], UNTIL_CANCELLED)
    next(events)
    began = time.perf_counter()
    os.kill(child_pid(log), signal.SIGKILL)
    with pytest.raises(EngineCrashed):
        next(events)
    assert time.perf_counter() - began < 0.5


def test_after_a_crash_a_reload_answers_again(client: EngineClient) -> None:
    with pytest.raises(EngineCrashed):
        list(client.generate([fake_child.SEGFAULT], UNTIL_CANCELLED))
    list(client.load(LoadSettings("fake")))
    assert client.is_alive
    assert client.tokenize("a") == (97,)


def test_last_words_are_bounded() -> None:
    """A library that complains for hours must not fill the desk's memory."""
    flood = "import os\nfor _ in range(1000): os.write(2, b'x' * 4096)\nos.write(2, b'the end')"
    answer = ChildProcess((sys.executable, "-c", flood)).ask(Tokenize("a")).next_answer()
    assert isinstance(answer, ProcessExit)
    assert len(answer.stderr_tail) <= 8192 and answer.stderr_tail.endswith("the end")


def test_a_child_that_cannot_start_is_told_like_a_crash() -> None:
    """A broken installation: the last line of the traceback says what is missing."""
    client = EngineClient(child_command=(sys.executable, "-c", "import no_such_module"))
    with pytest.raises(EngineCrashed, match=r"exit code 1.*No module named 'no_such_module'"):
        list(client.load(LoadSettings("fake")))


PARENT = """
    import sys, time
    from sparkdesk.engine.settings import GenerationSettings, LoadSettings
    from sparkdesk.runner.client import EngineClient
    client = EngineClient(child_command=sys.argv[3:])
    list(client.load(LoadSettings(f"fake@{sys.argv[1]}")))
    events = client.generate([int(sys.argv[2])], GenerationSettings())
    next(events)
    print("ready", flush=True)
    time.sleep(600)
"""


def start_parent(log: Path, behaviour: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", textwrap.dedent(PARENT), str(log), str(behaviour), *COMMAND]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPO)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    return parent


def is_gone(pid: int, within_s: float) -> bool:
    deadline_s = time.perf_counter() + within_s
    while time.perf_counter() < deadline_s:
        if not Path(f"/proc/{pid}").exists() or "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("behaviour", [fake_child.FOREVER_IN_PREFILL, fake_child.ENDLESS])
def test_the_child_does_not_outlive_its_parent(log: Path, behaviour: int) -> None:
    """A desk that was killed would leave gigabytes of model behind, computing for nobody."""
    parent = start_parent(log, behaviour)
    parent.kill()
    parent.wait()
    assert is_gone(child_pid(log), within_s=2.0)


def test_the_end_of_the_program_ends_the_child(log: Path) -> None:
    """sys.exit without close, and Ctrl+C in the terminal, which reaches the child as well."""
    parent = start_parent(log, fake_child.SLOWLY)
    child = child_pid(log)
    os.kill(child, signal.SIGINT)
    assert not is_gone(child, within_s=0.3), "Ctrl+C is the desk's to answer"
    parent.send_signal(signal.SIGINT)
    parent.wait()
    assert is_gone(child, within_s=2.0)


@pytest.mark.parametrize(
    ("stderr_tail", "line"),
    [
        ("", ""),
        ("one\ntwo\n\n", "two"),
        ("x.c:7: GGML_ASSERT(a) failed\nFatal Python error: Aborted\n", "x.c:7: GGML_ASSERT(a) failed"),
        ("CUDA error: out of memory\n  current device: 0\n", "CUDA error: out of memory"),
        (
            "last\nFatal Python error: Segmentation fault\n\nCurrent thread 0x7f (most recent call first):\n  File x",
            "last",
        ),
    ],
)
def test_the_main_error_line_is_found(stderr_tail: str, line: str) -> None:
    """faulthandler's trace comes last, but says less to a user than the assertion before it."""
    assert main_error_line(stderr_tail) == line


@pytest.mark.parametrize("exit_code", [-64, -9, -1, 0, 1, 255])
def test_every_exit_code_has_a_sentence(exit_code: int) -> None:
    """An unknown signal must not turn the explanation itself into a crash."""
    sentence = ProcessExit(exit_code, "", "").sentence()
    assert sentence.startswith("The engine ") and sentence.endswith("while idle.")
