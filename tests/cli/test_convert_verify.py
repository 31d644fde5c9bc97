"""`sparkdesk convert verify`: exit code 0 for a pair that works, 4 and a sentence for one that does not."""

import json
from pathlib import Path

import pytest

from converters import convert_draft, convert_target
from sparkdesk.bench.race import Race
from sparkdesk.bench.race_arm import RaceArm
from sparkdesk.bench.results import Judgement, Reply
from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.cli import convert_verify
from sparkdesk.cli.app import run
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.loading.smoke_test import Verified
from tests.cli.command_line import sparkdesk
from tests.converters.checkpoints import make_speculators, make_target
from tests.runner.fake_child import INFO

pytestmark = pytest.mark.native


def verify(target: Path, draft: Path, *arguments: str) -> tuple[int, str, str]:
    done = sparkdesk("convert", "verify", str(target), str(draft), "--threads", "1", *arguments)
    return done.returncode, done.stdout, done.stderr


def test_a_pair_that_works_says_what_was_accepted_where(tiny_pair: SyntheticPair) -> None:
    code, said, _ = verify(tiny_pair.target, tiny_pair.draft, "--json")
    found = json.loads(said)
    assert code == 0 and found["verdict"] in ("identical", "near-tie")
    assert found["accepted_length"] > 2 and found["warning"] == ""
    shares = found["acceptance_by_position"]
    assert len(shares) == found["block_size"] == 7
    assert shares[0] > 0.5 and all(0 <= share <= 1 for share in shares)
    assert len(found["prompts"]) == 3


def test_in_words_the_verdict_is_there(tiny_pair: SyntheticPair) -> None:
    code, said, _ = verify(tiny_pair.target, tiny_pair.draft)
    lines = {line.split("  ")[0]: line for line in said.splitlines()}
    assert code == 0
    assert {"target", "draft", "accepted length", "by position", "verdict"} <= lines.keys()
    assert lines["by position"].count("%") == 7


def test_a_draft_of_another_target_ends_with_one_sentence(tiny_pair: SyntheticPair, tmp_path: Path) -> None:
    target = make_target(tmp_path / "target", tied=False)
    list(convert_target(target.folder, tmp_path / "other.gguf", output_type="F16"))
    code, said, error = verify(tmp_path / "other.gguf", tiny_pair.draft)
    assert (code, said) == (4, "")
    assert "other.gguf has 352" in error and "Pick the target" in error and "Traceback" not in error


def test_a_draft_that_is_never_right_is_warned_of(tmp_path: Path) -> None:
    """Weights of chance: it fits in every shape, and all its guesses are wrong. The text stays the target's."""
    target = make_target(tmp_path / "target", tied=False)
    draft = make_speculators(tmp_path / "draft", target)
    list(convert_target(target.folder, tmp_path / "t.gguf", output_type="F16"))
    list(convert_draft(draft.folder, tmp_path / "d.gguf", target=target.folder, output_type="F16"))
    code, said, _ = verify(tmp_path / "t.gguf", tmp_path / "d.gguf")
    assert code == 0
    assert "Hardly any drafted token was accepted" in said and "(block of 4)" in said


def test_a_missing_file_is_one_sentence(tiny_pair: SyntheticPair, tmp_path: Path) -> None:
    code, said, error = verify(tiny_pair.target, tmp_path / "none.gguf")
    assert (code, said) == (4, "")
    assert "none.gguf is not a file" in error and "Traceback" not in error


def test_a_text_that_diverged_is_a_failure_with_its_figures(
    tiny_pair: SyntheticPair, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It cannot be had on purpose, so the answers are made up."""

    stats = ReplyStats(generated=4, rounds=2, verified_by_position=(2, 2), accepted_by_position=(1, 0))
    arm = RaceArm(Reply((1, 2, 3, 4), "length", stats, (), 0.0), ())
    asked = [
        (f"Prompt {kind}", Race(arm, arm, Judgement(kind, 1, 3.0, 0.1), is_plain_first=True))
        for kind in ("near-tie", "diverged", "identical")
    ]
    monkeypatch.setattr(convert_verify, "verify", lambda pair, options: Verified(INFO, asked))
    assert run(["convert", "verify", str(tiny_pair.target), str(tiny_pair.draft)]) == 4
    shown = capsys.readouterr()
    assert "DIVERGED" in shown.out and "accepted length  1.50" in shown.out and "50%  0%" in shown.out
    assert "the text is another than without it" in shown.err
