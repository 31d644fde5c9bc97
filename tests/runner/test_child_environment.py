"""How the engine's threads wait: bounded, and never against what the user has decided."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sparkdesk.runner.process import ChildProcess, bounded_spin, child_environment
from sparkdesk.runner.protocol import Shutdown


def test_both_openmp_libraries_spin_for_a_bounded_time() -> None:
    assert bounded_spin({}, architecture="x86_64") == {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}


def test_without_a_pause_instruction_more_looks_take_as_long() -> None:
    assert int(bounded_spin({}, architecture="aarch64")["GOMP_SPINCOUNT"]) > 1_000


@pytest.mark.parametrize(
    ("decided", "left"),
    [
        ({"GOMP_SPINCOUNT": "7"}, {"KMP_BLOCKTIME"}),
        ({"KMP_BLOCKTIME": "0"}, {"GOMP_SPINCOUNT"}),
        ({"OMP_WAIT_POLICY": "passive"}, set()),
        ({"OMP_WAIT_POLICY": "active"}, set()),
        ({"KMP_LIBRARY": "turnaround"}, {"GOMP_SPINCOUNT"}),
        ({"OMP_NUM_THREADS": "3"}, {"GOMP_SPINCOUNT", "KMP_BLOCKTIME"}),
    ],
)
def test_what_the_user_decided_stays(decided: dict[str, str], left: set[str]) -> None:
    assert set(bounded_spin(decided)) == left
    assert child_environment(decided).items() >= decided.items()


def test_the_package_itself_comes_before_the_users_own_python_path() -> None:
    root = str(Path(__file__).parents[2])
    assert child_environment({"PYTHONPATH": "/elsewhere"})["PYTHONPATH"] == os.pathsep.join([root, "/elsewhere"])


def test_the_engines_process_starts_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    show = "import os, sys; sys.stderr.write('spins ' + os.environ.get('GOMP_SPINCOUNT', 'without bound'))"
    child = ChildProcess([sys.executable, "-c", show])
    child.ask(Shutdown()).next_answer()  # that it is gone
    assert child.stderr_tail == f"spins {bounded_spin({})['GOMP_SPINCOUNT']}"
    child.end()


_RELOAD = """
import os, sys, threading
from sparkdesk.engine.settings import LoadSettings
from sparkdesk.runner.client import EngineClient
from tests.runner.fake_child import COMMAND

with EngineClient(child_command=COMMAND) as engine:
    os.setpriority(os.PRIO_PROCESS, os.getpid(), 5)  # as the screen does, once the first model is loaded
    reloading = threading.Thread(target=lambda: list(engine.load(LoadSettings("fine"))))
    reloading.start()
    reloading.join()
    print(os.getpriority(os.PRIO_PROCESS, engine._child._process.pid))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has a priority of its own on Linux only")
def test_an_engine_that_is_loaded_again_keeps_the_priority_of_the_first() -> None:
    """The screen's threads are slow to give way to the engine, and whatever they start would be as slow."""
    done = subprocess.run(
        [sys.executable, "-c", _RELOAD], capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.split() == [str(os.getpriority(os.PRIO_PROCESS, 0))], done.stderr
