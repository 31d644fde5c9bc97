"""A crash while loading is tried once more without repacked weights, and remembered when that helped."""

import json
from pathlib import Path

import pytest

from sparkdesk.engine.settings import LoadSettings
from sparkdesk.errors import EngineCrashed
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.crash_memory import CrashMemory, build_fingerprint
from sparkdesk.runner.protocol import Loaded, Loading
from tests.runner.fake_child import COMMAND


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def machine_file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "machine.json"


def load(how: str, log: Path, machine_file: Path | None, *, use_extra_buffers: bool = True) -> list[Loading | Loaded]:
    with EngineClient(child_command=COMMAND, machine_file=machine_file) as client:
        return list(client.load(LoadSettings(f"{how}@{log}", use_extra_buffers=use_extra_buffers)))


def tries(log: Path) -> list[bool]:
    """Of each process started: whether it was to use the usual buffers."""
    return [line.endswith("True") for line in log.read_text().splitlines()]


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGILL"])
def test_a_crash_while_loading_is_tried_again_safely(name: str, log: Path, machine_file: Path) -> None:
    events = load(name, log, machine_file)
    notice = next(event for event in events if isinstance(event, Loading) and name in event.stage)
    assert "without repacked weights" in notice.stage
    assert isinstance(events[-1], Loaded) and events[-1].model.uses_safe_buffers
    assert tries(log) == [True, False]


def test_the_next_load_starts_safely(log: Path, machine_file: Path) -> None:
    """Every start would otherwise begin with a crash."""
    load("SIGSEGV", log, machine_file)
    log.unlink()
    events = load("SIGSEGV", log, machine_file)
    assert tries(log) == [False]
    assert isinstance(events[-1], Loaded) and events[-1].model.uses_safe_buffers
    assert build_fingerprint() in machine_file.read_text()


def test_a_load_that_works_learns_nothing(log: Path, machine_file: Path) -> None:
    (*_, last) = load("fake", log, machine_file)
    assert isinstance(last, Loaded) and not last.model.uses_safe_buffers
    assert not machine_file.exists()


def test_a_crash_both_ways_names_both_and_is_not_remembered(log: Path, machine_file: Path) -> None:
    """A damaged file crashes either way; blaming the buffers would slow down every other model."""
    with pytest.raises(EngineCrashed, match=r"SIGSEGV.*And again, without repacked weights.*SIGSEGV") as caught:
        load("SIGSEGV always", log, machine_file)
    assert "doctor" in caught.value.hint
    assert tries(log) == [True, False]
    assert not machine_file.exists()


def test_being_killed_is_tried_again_only_with_less(log: Path, machine_file: Path) -> None:
    """SIGKILL is the system without memory: the same load would only do it again."""
    with pytest.raises(EngineCrashed, match="often by the system when memory ran out") as caught:
        load("SIGKILL", log, machine_file)
    assert "memory" in caught.value.hint
    assert tries(log) == [True] * 4 and not machine_file.exists()


def test_a_safe_load_that_crashes_is_not_tried_again(log: Path, machine_file: Path) -> None:
    with pytest.raises(EngineCrashed, match="SIGSEGV"):
        load("SIGSEGV always", log, machine_file, use_extra_buffers=False)
    assert tries(log) == [False]


def test_a_draft_that_crashes_the_engine_costs_only_the_draft(log: Path, machine_file: Path) -> None:
    """Whatever is wrong with a draft, its target still answers, as fast as it can, and the user is told why."""
    settings = LoadSettings(f"fake@{log}", draft_path="crashing")
    with EngineClient(child_command=COMMAND, machine_file=machine_file) as client:
        *_, last = client.load(settings)
    assert isinstance(last, Loaded)
    assert "loading the draft" in last.model.draft_problem and "GGML_ASSERT" in last.model.draft_problem
    assert tries(log) == [True, False, True] and not last.model.uses_safe_buffers
    assert not machine_file.exists(), "the buffers were not to blame"


def test_a_crash_in_the_target_is_not_blamed_on_the_draft(log: Path) -> None:
    """The third load of a large file would crash like the two before it."""
    settings = LoadSettings(f"SIGSEGV always@{log}", draft_path="any")
    with EngineClient(child_command=COMMAND) as client, pytest.raises(EngineCrashed):
        list(client.load(settings))
    assert len(tries(log)) == 2


def test_a_crash_while_warming_up_may_be_either_and_all_is_tried(log: Path) -> None:
    settings = LoadSettings(f"warm-up SIGSEGV always@{log}", draft_path="any")
    with EngineClient(child_command=COMMAND) as client:
        with pytest.raises(EngineCrashed, match=r"while warming up.*repacked weights.*without the draft"):
            list(client.load(settings))
    assert tries(log) == [True, False, True]


def test_without_a_file_nothing_is_remembered_but_the_load_works(log: Path) -> None:
    assert isinstance(load("SIGSEGV", log, None)[-1], Loaded)


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"crashed_with_repacked_weights": 3}', "\x00" * 100])
def test_a_corrupt_file_is_ignored_and_replaced(content: str, log: Path, machine_file: Path) -> None:
    """Half a file from a power cut must not keep the desk from starting."""
    machine_file.parent.mkdir()
    machine_file.write_text(content)
    assert isinstance(load("SIGSEGV", log, machine_file)[-1], Loaded)
    assert CrashMemory(machine_file).needs_safe_buffers


def test_other_knowledge_in_the_file_is_kept(machine_file: Path) -> None:
    machine_file.parent.mkdir()
    machine_file.write_text('{"something else": [1, 2]}')
    CrashMemory(machine_file).remember_crash("SIGSEGV")
    assert json.loads(machine_file.read_text())["something else"] == [1, 2]


def test_a_rebuilt_library_gets_a_fresh_chance(machine_file: Path) -> None:
    """The user follows the advice, rebuilds, and must not stay on the slow way for ever."""
    CrashMemory(machine_file, build="old").remember_crash("SIGSEGV")
    assert CrashMemory(machine_file, build="old").needs_safe_buffers
    assert not CrashMemory(machine_file, build="new").needs_safe_buffers


def test_a_file_that_cannot_be_written_costs_only_the_memory(tmp_path: Path, log: Path) -> None:
    blocker = tmp_path / "blocker"
    blocker.write_text("a file where a folder should be")
    assert isinstance(load("SIGSEGV", log, blocker / "machine.json")[-1], Loaded)
