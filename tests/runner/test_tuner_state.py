"""What is remembered about a pair between sessions: the figures of these very files on this very machine."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from sparkdesk.engine.scheduling.tuner import Tuner
from sparkdesk.engine.settings import LoadSettings
from sparkdesk.runner.tuner_state import TunerState
from tests.runner.fake_child import INFO


@pytest.fixture
def settings(tmp_path: Path) -> LoadSettings:
    for name in ("target.gguf", "draft.gguf"):
        (tmp_path / name).write_bytes(b"weights")
    return LoadSettings(str(tmp_path / "target.gguf"), str(tmp_path / "draft.gguf"))


def test_what_was_learnt_comes_back(tmp_path: Path, settings: LoadSettings) -> None:
    state = Tuner(7).state()
    TunerState(tmp_path / "learnt").remember(settings, INFO, state)
    recalled = TunerState(tmp_path / "learnt").recall(settings, INFO)
    assert recalled is not None
    Tuner(7).restore(recalled)
    assert recalled["costs"] == state["costs"]


@pytest.mark.parametrize(
    "other",
    [
        {"batch_threads": 4},
        {"devices": ("A GPU",)},
        {"gpu_layers": 20},
        {"uses_safe_buffers": True},
        {"draft_name": None},
    ],
    ids=str,
)
def test_other_circumstances_begin_anew(tmp_path: Path, settings: LoadSettings, other: dict[str, object]) -> None:
    TunerState(tmp_path / "learnt").remember(settings, INFO, Tuner(7).state())
    assert TunerState(tmp_path / "learnt").recall(settings, replace(INFO, **other)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("other", [{"threads": 3}, {"most_threads": 1}], ids=str)
def test_other_threads_begin_anew(tmp_path: Path, settings: LoadSettings, other: dict[str, int]) -> None:
    TunerState(tmp_path / "learnt").remember(settings, INFO, Tuner(7).state())
    assert TunerState(tmp_path / "learnt").recall(replace(settings, **other), INFO) is None  # type: ignore[arg-type]


def test_the_number_that_won_is_no_circumstance(tmp_path: Path, settings: LoadSettings) -> None:
    """It is chosen after the memory was asked."""
    TunerState(tmp_path / "learnt").remember(settings, replace(INFO, threads=7), Tuner(7).state())
    assert TunerState(tmp_path / "learnt").recall(settings, replace(INFO, threads=8)) is not None


def test_another_file_of_the_same_name_begins_anew(tmp_path: Path, settings: LoadSettings) -> None:
    TunerState(tmp_path / "learnt").remember(settings, INFO, Tuner(7).state())
    Path(settings.target_path).write_bytes(b"other weights")
    assert TunerState(tmp_path / "learnt").recall(settings, INFO) is None


def test_a_broken_file_is_none(tmp_path: Path, settings: LoadSettings) -> None:
    learned = TunerState(tmp_path / "learnt")
    learned.remember(settings, INFO, Tuner(7).state())
    (file,) = (tmp_path / "learnt").iterdir()
    for content in (b"", b"{", b"[]", b'{"about": 1}', b"\xff\xfe"):
        file.write_bytes(content)
        assert TunerState(tmp_path / "learnt").recall(settings, INFO) is None


def test_without_a_folder_nothing_is_written(tmp_path: Path, settings: LoadSettings) -> None:
    before = sorted(os.listdir(tmp_path))
    TunerState(None).remember(settings, INFO, Tuner(7).state())
    assert TunerState(None).recall(settings, INFO) is None
    assert sorted(os.listdir(tmp_path)) == before


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path: Path, settings: LoadSettings) -> None:
    (tmp_path / "learnt").write_text("a file in its place")
    TunerState(tmp_path / "learnt").remember(settings, INFO, Tuner(7).state())
    assert TunerState(tmp_path / "learnt").recall(settings, INFO) is None


def test_it_holds_figures_and_no_folders(tmp_path: Path, settings: LoadSettings) -> None:
    TunerState(tmp_path / "learnt").remember(settings, INFO, Tuner(7).state())
    (file,) = (tmp_path / "learnt").iterdir()
    assert str(tmp_path) not in file.read_text("utf-8")
