"""`sparkdesk remove` as a user meets it, in a home of its own."""

import json
import os

import pytest

from sparkdesk.cli.app import run
from sparkdesk.config.paths import Paths
from tests.library.gguf_samples import write_draft, write_target


def test_nothing_is_removed_unasked(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_target(paths.models / "T.gguf")
    assert run(["remove", "T"]) == 2
    shown = capsys.readouterr()
    assert path.exists() and str(path) in shown.err and "--yes" in shown.err and shown.out == ""


def test_what_was_removed_is_said(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_target(paths.models / "mine" / "target.gguf")
    write_draft(path.with_name("draft.gguf"))
    assert run(["remove", str(path), "--yes", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["removed"] == [str(path)] and told["broken_pairs"] == ["mine"] and not path.exists()


def test_leftovers_are_cleared(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    paths.models.mkdir(parents=True)
    left = paths.models / ".x.part"
    left.write_bytes(b"1")
    os.utime(left, (1, 1))
    run(["list"])
    assert "interrupted" in capsys.readouterr().out
    assert run(["remove", "--unfinished", "--yes"]) == 0 and not left.exists()
    assert run(["remove", "--unfinished"]) == 0
    assert "Nothing to remove" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [(), ("T", "--unfinished")])
def test_one_thing_is_removed_at_a_time(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["remove", *arguments]) == 2
    assert "Name what to remove" in capsys.readouterr().err
