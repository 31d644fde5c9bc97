"""A made-up checkpoint is one the converter takes, and what converting it costs can be measured."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from converters import convert_target
from sparkdesk.bench.lab.checkpoint import SHAPES, main, tensor_shapes, write_checkpoint
from sparkdesk.errors import ConvertError
from sparkdesk.gguf.header import read_gguf

TINY = SHAPES["tiny"]


def test_it_converts_whole(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "made", TINY, shards=3)
    files = sorted(tmp_path.glob("made/*.safetensors"))
    assert len(files) == 3
    assert TINY.size_bytes < sum(file.stat().st_size for file in files) < TINY.size_bytes + 20_000
    list(convert_target(tmp_path / "made", tmp_path / "out.gguf", output_type="Q8_0"))
    assert len(read_gguf(tmp_path / "out.gguf").tensors) == len(tensor_shapes(TINY))


def test_the_8b_shape_is_that_of_qwen3_8b() -> None:
    assert SHAPES["8b"].size_bytes == 2 * 8_190_735_360


def test_a_large_vocabulary_has_tokens_of_three_bytes_and_no_two_alike(tmp_path: Path) -> None:
    from sparkdesk.bench.lab.checkpoint_tokenizer import write_tokenizer

    write_tokenizer(tmp_path, 70_000)
    vocabulary = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    assert len(vocabulary) == 70_000 - 4
    assert max(map(len, vocabulary)) == 3


def test_a_folder_that_exists_is_not_touched(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="cannot be made"):
        write_checkpoint(tmp_path, TINY, shards=1)


def test_too_little_room_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("sparkdesk.bench.lab.checkpoint.shutil.disk_usage", lambda _: few)
    with pytest.raises(ConvertError, match="GB free"):
        write_checkpoint(tmp_path / "made", TINY, shards=1)
    assert list(tmp_path.iterdir()) == []


def test_the_command_names_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--out", str(tmp_path / "made"), "--shards", "2"])
    assert capsys.readouterr().out.strip() == str(tmp_path / "made")


@pytest.mark.skipif(sys.platform != "linux", reason="measures by /proc and the page cache")
def test_converting_is_measured_against_cp(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from sparkdesk.bench.lab.conversion import main as measure

    write_checkpoint(tmp_path / "made", TINY, shards=2)
    (tmp_path / "work").mkdir()
    measure(
        ["--checkpoint", str(tmp_path / "made"), "--work", str(tmp_path / "work"), "--types", "F16", "--turns", "2"]
    )
    shown = capsys.readouterr().out
    assert shown.count("turn 2: ") == 3 and "F16: " in shown and "times the speed of cp" in shown
    assert list((tmp_path / "work").iterdir()) == []
