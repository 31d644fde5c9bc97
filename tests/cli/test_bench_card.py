"""`sparkdesk bench card`: what it says, what it keeps to itself, and what it refuses before any work is done."""

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sparkdesk.bench import card
from sparkdesk.bench.card_markdown import markdown
from sparkdesk.bench.comparison import ComparisonSettings
from sparkdesk.bench.run_report import read_record
from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.cli import app
from sparkdesk.cli.bench_run import collect
from sparkdesk.errors import UsageError
from sparkdesk.events import Run
from tests.bench.rounds import lent_engine
from tests.cli.command_line import sparkdesk
from tests.cli.test_bench import PROMPTS, recorded


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {role: tmp_path / f"{role}.gguf" for role in ("target", "draft")}
    for role, path in found.items():
        path.write_bytes(role.encode())
    return found


def digests(files: dict[str, Path]) -> dict[str, str]:
    run = Run(card.hashes(files))
    list(run)
    return run.result


def made(files: dict[str, Path]) -> dict[str, Any]:
    found = recorded(collect(lent_engine(), PROMPTS, ComparisonSettings()), files)
    return card.card_of(found, digests(files))


def test_the_card_tells_figures_files_and_machine(files: dict[str, Path]) -> None:
    text = markdown(made(files))
    assert text.startswith("# Scripted with Draft\n")
    assert "| code | 2 | 100.0 | 200.0 | 2.00x (2.00..2.00) | 4.00 | 100% |" in text
    assert "4 identical, 0 near-tie, 0 diverged" in text
    assert sha256(b"target").hexdigest() in text and "| draft | draft.gguf |" in text
    assert "sparkdesk bench run" in text


def test_nothing_private_is_in_it(files: dict[str, Path]) -> None:
    found = made(files)
    written = json.dumps(found) + markdown(found)
    for secret in ("code 0?", str(files["target"].parent), os.environ.get("USER") or "no such user", 'prompts"'):
        assert secret not in written


def test_names_cannot_break_the_table(files: dict[str, Path]) -> None:
    found = made(files)
    found["files"]["target"]["name"] = "a|b\nc.gguf"
    assert "| a\\|b c.gguf |" in markdown(found)


def test_both_files_are_written_or_refused(files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "card.md"
    card.check_out(out)
    assert card.write_card(made(files), out) == (out, tmp_path / "card.json")
    assert json.loads((tmp_path / "card.json").read_text())["kind"] == card.KIND
    assert not list(tmp_path.glob(".*part"))
    with pytest.raises(UsageError, match=r"card\.md exists already"):
        card.check_out(out)
    out.unlink()
    with pytest.raises(UsageError, match=r"card\.json exists already"):
        card.check_out(out)
    with pytest.raises(UsageError, match="does not exist"):
        card.check_out(tmp_path / "none" / "card.md")
    with pytest.raises(UsageError, match="both the card and its figures"):
        card.check_out(tmp_path / "other.json")
    with pytest.raises(UsageError, match="could not be written"):
        card.write_card(made(files), tmp_path / "none" / "card.md")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(UsageError, match="cannot be written to"):
        card.check_out(folder / "card.md")


def test_a_kept_run_must_be_of_these_files(files: dict[str, Path]) -> None:
    found = recorded(collect(lent_engine(), PROMPTS, ComparisonSettings()), files)
    card.check_files(found, files)
    files["draft"].write_bytes(b"another draft")
    with pytest.raises(UsageError, match=r"this is draft\.gguf of another size"):
        card.check_files(found, files)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("no json", "is not JSON"),
        ("[]", "is not a kept run"),
        ('{"kind": "sparkdesk bench card"}', "is not a kept run"),
        ('{"kind": "sparkdesk bench run", "format": 0}', "another version"),
        ('{"kind": "sparkdesk bench run", "format": 1, "is_complete": true}', "it has no command"),
    ],
)
def test_what_is_no_kept_run_is_refused(text: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_record(path)


def test_an_existing_card_is_found_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "card.md").write_text("mine")
    assert app.run(["bench", "card", "--out", str(tmp_path / "card.md")]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and "exists already" in shown.err
    assert (tmp_path / "card.md").read_text() == "mine"


@pytest.mark.native
def test_a_card_is_made_of_a_kept_run(tiny_pair: SyntheticPair, tmp_path: Path) -> None:
    kept = sparkdesk("bench", "run", "--threads", "1", "--limit", "1", "--domains", "counting", "--json")
    (tmp_path / "run.json").write_text(kept.stdout)
    out = tmp_path / "card.md"
    done = sparkdesk("bench", "card", "--from", str(tmp_path / "run.json"), "--out", str(out))
    assert (done.returncode, done.stdout.split()) == (0, [str(out), str(out.with_suffix(".json"))]), done.stderr
    text = out.read_text("utf-8")
    assert "# Spark Tiny with Spark Tiny-DSpark" in text and "| counting | 1 |" in text
    assert sha256(tiny_pair.target.read_bytes()).hexdigest() in text
    assert str(tmp_path) not in text + out.with_suffix(".json").read_text("utf-8")
