"""`sparkdesk convert`: the file's name on stdout, errors in one sentence."""

from pathlib import Path

import pytest

from sparkdesk.cli.app import run
from sparkdesk.gguf.header import read_gguf
from tests.converters.checkpoints import make_draft, make_target


def test_a_pair_is_converted_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = make_target(tmp_path / "target", tied=True)
    draft = make_draft(tmp_path / "draft", target)
    target_out, draft_out = tmp_path / "t.gguf", tmp_path / "d.gguf"
    assert run(["convert", "target", str(target.folder), str(target_out), "--type", "f16"]) == 0
    assert run(["convert", "draft", str(draft.folder), str(draft_out), "--target", str(target_out)]) == 0
    assert capsys.readouterr().out.split() == [str(target_out), str(draft_out)]
    assert read_gguf(draft_out).architecture == "dflash"


def test_an_existing_file_is_not_touched_unless_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, out = make_target(tmp_path / "target", tied=True), tmp_path / "t.gguf"
    out.write_text("mine")
    arguments = ["convert", "target", str(target.folder), str(out), "--type", "F16"]
    assert run(arguments) == 3
    assert "exists already" in capsys.readouterr().err and out.read_text() == "mine"
    assert run([*arguments, "--overwrite"]) == 0
    assert read_gguf(out).architecture == "qwen3"


def test_a_missing_checkpoint_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "target", str(tmp_path / "none"), str(tmp_path / "t.gguf"), "--type", "F16"]) == 3
    shown = capsys.readouterr()
    assert shown.out == "" and str(tmp_path / "none") in shown.err


def test_a_folder_as_out_gets_a_file_named_after_the_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = make_target(tmp_path / "Some-3B", tied=True)
    draft, out = make_draft(tmp_path / "draft", target), tmp_path / "out"
    out.mkdir()
    assert run(["convert", "target", str(target.folder), str(out), "--type", "f16"]) == 0
    named = out / "Some-3B-F16.gguf"
    assert run(["convert", "draft", str(draft.folder), str(out), "--target", str(named)]) == 0
    assert capsys.readouterr().out.split() == [str(named), str(out / "Some-3B-DSpark-Q8_0.gguf")]
    assert run(["convert", "target", str(tmp_path / "none"), str(out), "--type", "F16"]) == 3
    assert "is not a checkpoint folder" in capsys.readouterr().err
