"""Whatever is wrong with a checkpoint or with where it should go, `sparkdesk convert` says so, with a way out."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sparkdesk.cli.app import run
from tests.converters.checkpoints import make_draft, make_target, split_into_shards
from tests.converters.test_bad_input import DRAFT_DAMAGE, TARGET_DAMAGE, Damage, change_config

CONVERSION_ERROR, WRONG_USAGE = 3, 2


def is_said_in_two_lines(said: str) -> bool:
    """What happened, and indented below it what to try."""
    lines = said.splitlines()
    return len(lines) == 2 and lines[0].startswith("sparkdesk: ") and lines[1].startswith("  ")


@pytest.mark.parametrize(
    ("name", "damage"), [case[:2] for case in TARGET_DAMAGE], ids=[case[0] for case in TARGET_DAMAGE]
)
def test_a_bad_target(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, damage: Damage) -> None:
    made = make_target(tmp_path / "target", tied=False)
    damage(made)
    folder = tmp_path / "out"
    folder.mkdir()
    assert run(["convert", "target", str(made.folder), str(folder / "t.gguf"), "--type", "F16"]) == CONVERSION_ERROR
    shown = capsys.readouterr()
    assert shown.out == "" and is_said_in_two_lines(shown.err), shown.err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "damage"), [case[:2] for case in DRAFT_DAMAGE], ids=[case[0] for case in DRAFT_DAMAGE]
)
def test_a_bad_draft(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, damage: Damage) -> None:
    target = make_target(tmp_path / "target", tied=False)
    draft = make_draft(tmp_path / "draft", target)
    damage(draft)
    folder = tmp_path / "out"
    folder.mkdir()
    arguments = ["convert", "draft", str(draft.folder), str(folder / "d.gguf"), "--target", str(target.folder)]
    assert run(arguments) == CONVERSION_ERROR
    shown = capsys.readouterr()
    assert shown.out == "" and is_said_in_two_lines(shown.err), shown.err
    assert list(folder.iterdir()) == []


def test_a_truncated_shard_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = make_target(tmp_path / "target", tied=False)
    split_into_shards(made, 3)
    shard = made.folder / "model-00002-of-00003.safetensors"
    os.truncate(shard, shard.stat().st_size - 1)
    assert run(["convert", "target", str(made.folder), str(tmp_path / "t.gguf"), "--type", "F16"]) == CONVERSION_ERROR
    said = capsys.readouterr().err
    assert shard.name in said and "Download the file again." in said


@pytest.mark.parametrize(
    ("damage", "known"),
    [
        (change_config(architectures=["MambaForCausalLM"]), "Qwen3ForCausalLM"),
        (change_config(rope_scaling={"type": "longrope"}), "yarn and linear"),
    ],
)
def test_what_is_unknown_is_told_with_what_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Damage, known: str
) -> None:
    made = make_target(tmp_path / "target", tied=False)
    damage(made)
    assert run(["convert", "target", str(made.folder), str(tmp_path / "t.gguf"), "--type", "F16"]) == CONVERSION_ERROR
    assert known in capsys.readouterr().err


def nowhere(folder: Path) -> Path:
    return folder / "no" / "t.gguf"


def taken(folder: Path) -> Path:
    (folder / "t.gguf").write_text("mine")
    return folder / "t.gguf"


@pytest.mark.parametrize(("place", "message"), [(nowhere, "does not exist"), (taken, "exists already")])
def test_a_bad_place_for_the_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: Callable[[Path], Path], message: str
) -> None:
    made = make_target(tmp_path / "target", tied=True)
    folder = tmp_path / "out"
    folder.mkdir()
    out = place(folder)
    before = sorted(folder.iterdir())
    assert run(["convert", "target", str(made.folder), str(out), "--type", "F16"]) == CONVERSION_ERROR
    said = capsys.readouterr().err
    assert message in said and is_said_in_two_lines(said)
    assert sorted(folder.iterdir()) == before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = make_target(tmp_path / "target", tied=True)
    folder = tmp_path / "out"
    folder.mkdir(mode=0o500)
    assert run(["convert", "target", str(made.folder), str(folder / "t.gguf"), "--type", "F16"]) == CONVERSION_ERROR
    assert "cannot be written to" in capsys.readouterr().err


def test_a_type_that_cannot_be_written_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "target", str(tmp_path), str(tmp_path / "t.gguf"), "--type", "Q9"]) == WRONG_USAGE
    assert "Q4_K_M" in capsys.readouterr().err
