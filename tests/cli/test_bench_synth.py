"""`sparkdesk bench synth`: the files' names on stdout, refusals in one sentence."""

import json
from pathlib import Path

import pytest

from sparkdesk.cli.app import run

SHAPE = (
    *("--hidden", "64", "--layers", "3", "--feed-forward", "64", "--heads", "2", "--kv-heads", "1"),
    *("--head-dim", "32", "--vocabulary", "400", "--draft-layers", "1", "--markov-rank", "32", "--f16-only"),
)


def test_paths_and_prompt_tokens_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "synth", "--out", str(tmp_path / "a"), *SHAPE]) == 0
    target, draft, prompt = capsys.readouterr().out.splitlines()
    assert Path(target).is_file() and Path(draft).is_file() and prompt.startswith("--prompt-tokens ")
    assert run(["bench", "synth", "--out", str(tmp_path / "b"), *SHAPE, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pairs"] == [{"target": str(tmp_path / "b-target.gguf"), "draft": str(tmp_path / "b-draft.gguf")}]
    assert ",".join(map(str, found["prompt_tokens"])) == prompt.split()[1]


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a-target.gguf").write_text("mine")
    assert run(["bench", "synth", "--out", str(tmp_path / "a"), *SHAPE]) == 3
    shown = capsys.readouterr()
    assert shown.out == "" and "a-target.gguf exists already" in shown.err
    assert (tmp_path / "a-target.gguf").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "required: --out"),
        (("--out", "x", "--phases", "high"), "'high' is not a list of chances"),
        (("--out", "x", "--layers", "1"), "3 is the least"),
        (("--out", "x", "--layers", "many"), "invalid int value"),
    ],
)
def test_nonsense_is_refused(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "synth", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and said in shown.err
