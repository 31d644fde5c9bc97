"""A child that is stopped, or does not react for another reason, is named and ended; a slow one is left alone."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkdesk.engine.settings import GenerationSettings, LoadSettings
from sparkdesk.errors import EngineCrashed, EngineError
from sparkdesk.runner import process
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.protocol import Finished, Loaded
from tests.runner import fake_child
from tests.runner.fake_child import COMMAND
from tests.runner.test_crash import REPO, child_pid, is_gone

UNTIL_CANCELLED = GenerationSettings()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stall is noticed after two seconds, so that a test need not last a quarter of a minute."""
    monkeypatch.setattr(process, "STALLED_SECONDS", 2.5)
    monkeypatch.setattr(process, "STALLED_LOADING_SECONDS", 2.5)
    monkeypatch.setattr(process, "NAMED_SECONDS", 1.5)


@pytest.fixture
def client(log: Path) -> Iterator[EngineClient]:
    with EngineClient(child_command=COMMAND) as client:
        list(client.load(LoadSettings(f"fake@{log}")))
        yield client


def stop(log: Path) -> int:
    pid = child_pid(log)
    os.kill(pid, signal.SIGSTOP)
    return pid


def took_s(began_s: float) -> float:
    return time.perf_counter() - began_s


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("behaviour", [fake_child.FOREVER_IN_PREFILL, fake_child.SLOWLY])
def test_a_reply_that_stalls_is_told_and_the_model_can_be_loaded_again(
    client: EngineClient, log: Path, behaviour: int
) -> None:
    """Nobody waits for a stopped process for ever."""
    events = client.generate([behaviour], UNTIL_CANCELLED)
    next(events)
    pid = stop(log)
    with pytest.raises(EngineCrashed, match=r"stalled: it did not react for .* while (answering|reading)") as caught:
        list(events)
    assert "Load the model again" in caught.value.hint, "not what is said of a process that the system killed"
    assert is_gone(pid, within_s=1.0) and not client.is_stalled
    list(client.load(LoadSettings("fake")))
    assert client.tokenize("a") == (97,)


@pytest.mark.usefixtures("hasty")
def test_an_idle_child_that_stalls_is_named_before_it_is_ended(client: EngineClient, log: Path) -> None:
    assert not client.is_stalled
    pid = stop(log)
    deadline_s = time.perf_counter() + 2.4
    while not client.is_stalled and time.perf_counter() < deadline_s:
        time.sleep(0.01)
    assert client.is_stalled and client.is_alive
    assert is_gone(pid, within_s=5.0)
    while client.is_alive and time.perf_counter() < deadline_s + 5.0:  # its end is noticed a moment later
        time.sleep(0.01)
    with pytest.raises(EngineCrashed, match=r"stalled.* while idle"):
        client.tokenize("a")


def test_a_stall_that_passes_is_forgotten(client: EngineClient, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop that was asleep, a debugger, a machine out of breath: what goes on need not be loaded again."""
    monkeypatch.setattr(process, "NAMED_SECONDS", 1.5)
    pid = stop(log)
    while not client.is_stalled:
        time.sleep(0.01)
    os.kill(pid, signal.SIGCONT)
    assert client.tokenize("a") == (97,)
    assert not client.is_stalled


@pytest.mark.usefixtures("hasty")
def test_a_load_that_stalls_is_told(log: Path) -> None:
    with EngineClient(child_command=COMMAND) as client:
        loading = client.load(LoadSettings(f"endless@{log}"))
        while not (log.exists() and log.read_text()):
            next(loading)
        stop(log)
        with pytest.raises(EngineCrashed, match=r"stalled.* while loading the target"):
            list(loading)


@pytest.mark.usefixtures("hasty")
def test_a_slow_machine_is_not_called_stalled(client: EngineClient) -> None:
    """A long prefill or load is one call into llama.cpp, and says nothing while it lasts."""
    assert fake_child.LONG_CALL_SECONDS > process.STALLED_SECONDS
    *_, last = client.generate([fake_child.LONG_CALL], GenerationSettings(max_tokens=3))
    assert isinstance(last, Finished) and last.stats.generated == 3
    *_, loaded = client.load(LoadSettings("long call"))
    assert isinstance(loaded, Loaded)


@pytest.mark.parametrize("behaviour", [None, fake_child.ENDLESS, fake_child.FOREVER_IN_PREFILL])
def test_a_stopped_child_is_closed_within_two_seconds(client: EngineClient, log: Path, behaviour: int | None) -> None:
    """SIGTERM does not reach it; the desk used to wait for what it would say."""
    if behaviour is not None:
        next(client.generate([behaviour], UNTIL_CANCELLED))
    pid = stop(log)
    began_s = time.perf_counter()
    client.close()
    assert took_s(began_s) < 2.0
    assert is_gone(pid, within_s=0.5)
    with pytest.raises(EngineError):
        client.tokenize("a")


def test_whoever_waits_for_a_stopped_child_is_woken_when_it_is_closed(client: EngineClient, log: Path) -> None:
    reply = client.ask_for_reply([fake_child.ENDLESS], UNTIL_CANCELLED)
    stop(log)
    failures: list[Exception] = []

    def read() -> None:
        try:
            list(reply.events())
        except EngineError as error:
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    client.close()
    reader.join(2.0)
    assert [str(each) for each in failures] == ["The engine was closed. Load a model to go on."]


def test_nobody_waits_to_ask_a_child_that_does_not_listen(client: EngineClient, log: Path) -> None:
    """A pipe holds 64 KiB: a longer prompt used to hold whoever asked, and the event loop that cancelled it."""
    stop(log)
    began_s = time.perf_counter()
    reply = client.ask_for_reply([fake_child.COUNT] * 1_000_000, UNTIL_CANCELLED)
    for _ in range(5_000):
        reply.cancel()
    assert took_s(began_s) < 1.0
    client.close()
    assert took_s(began_s) < 3.0


def test_a_child_that_closes_the_wire_and_lives_on_is_ended(client: EngineClient, log: Path) -> None:
    with pytest.raises(EngineCrashed):
        list(client.generate([fake_child.CLOSED], UNTIL_CANCELLED))
    assert is_gone(child_pid(log), within_s=1.0)


PARENT = """
    import sys, time
    from sparkdesk.engine.settings import GenerationSettings, LoadSettings
    from sparkdesk.runner import process
    from sparkdesk.runner.client import EngineClient
    process.STALLED_SECONDS = 2.5
    with EngineClient(child_command=sys.argv[2:]) as client:
        list(client.load(LoadSettings(f"fake@{sys.argv[1]}")))
        print("ready", flush=True)
        input()
        print(client.tokenize("a"), flush=True)
"""


def test_a_desk_that_was_stopped_itself_does_not_blame_its_child(log: Path) -> None:
    """Ctrl+Z in the shell stops both; what counts is how long the child was silent while somebody listened."""
    command = [sys.executable, "-c", textwrap.dedent(PARENT), str(log), *COMMAND]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=REPO) as parent:
        assert parent.stdout is not None and parent.stdin is not None
        assert parent.stdout.readline() == "ready\n"
        for pid in (child_pid(log), parent.pid):
            os.kill(pid, signal.SIGSTOP)
        time.sleep(4.0)
        for pid in (parent.pid, child_pid(log)):
            os.kill(pid, signal.SIGCONT)
        parent.stdin.write("\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == "(97,)\n"
