"""`sparkdesk bench`: what goes where, what is refused, and how it ends."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sparkdesk.bench.comparison import ComparisonSettings
from sparkdesk.bench.results import Comparison
from sparkdesk.bench.run_report import RunSettings, record
from sparkdesk.bench.suite import Prompt
from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.cli import app
from sparkdesk.cli.bench_report import report
from sparkdesk.cli.bench_run import Outcome, collect, gather, show
from sparkdesk.cli.color import Colors
from sparkdesk.cli.console import describe
from sparkdesk.engine.round import Round
from sparkdesk.engine.settings import GenerationSettings
from sparkdesk.errors import EngineCrashed
from sparkdesk.events import Progress
from tests.bench.rounds import drafted_rounds, lent_engine, plain_rounds
from tests.cli.command_line import COMMAND, ROOT, TIMEOUT_SECONDS, numbers, sparkdesk
from tests.scripted_engine import MODEL

PROMPTS = tuple(Prompt(f"{domain}-{i}", domain, f"{domain} {i}?") for i in range(2) for domain in ("code", "prose"))
RUN = RunSettings("sparkdesk bench run", "default", 0.0, 64, None, 1)


def recorded(outcome: Outcome, files: dict[str, Path] | None = None) -> dict[str, Any]:
    return record(outcome.comparisons, settings=RUN, model=MODEL, files=files or {}, is_complete=outcome.exit_code == 0)


def differing(prompt: tuple[int, ...], settings: GenerationSettings) -> list[Round]:
    """The speculative arm says another token than the plain one: C, next to B, or Z, far from it."""
    if not settings.speculation.is_enabled:
        return plain_rounds(4)
    return drafted_rounds(1, token=67 if prompt[-2] == ord("0") else 90)


def test_the_report_fits_a_hundred_columns_and_names_every_domain() -> None:
    outcome = collect(lent_engine(), PROMPTS, ComparisonSettings())
    lines = list(report(recorded(outcome), Colors()))
    assert max(map(len, lines)) <= 100 and "\033" not in "".join(lines)
    text = "\n".join(lines)
    for wanted in ("Scripted with Draft", "code", "prose", "2.00x", "4 identical", "ours"):
        assert wanted in text


def test_colour_takes_no_room() -> None:
    found = recorded(collect(lent_engine(), PROMPTS, ComparisonSettings()))
    assert any("\033[32m" in line for line in report(found, Colors(True)))


def test_differences_are_judged_and_named() -> None:
    near, far = Prompt("near", "code", "0?"), Prompt("far", "code", "1?")
    found = recorded(collect(lent_engine(differing), raw((near, far)), ComparisonSettings()))
    text = "\n".join(report(found, Colors()))
    assert "0 identical · 1 near-tie · 1 DIVERGED" in text
    assert "far: DIVERGED at token 1 (margin 5 logits, noise 0.01)" in text
    assert "near: near-tie at token 1 (margin 0.01 logits" in text


def raw(prompts: tuple[Prompt, ...]) -> tuple[Prompt, ...]:
    """By their tokens, so that no template comes between the script and the text."""
    return tuple(Prompt(each.id, each.domain, "", tuple(map(ord, each.text))) for each in prompts)


def test_ctrl_c_keeps_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(number: int) -> None:
        if number == 6:  # warm-up and every prompt are two replies each
            raise KeyboardInterrupt

    outcome = collect(lent_engine(before_reply=interrupt), PROMPTS, ComparisonSettings())
    assert outcome.exit_code == 130 and len(outcome.comparisons) == 2
    assert show(recorded(outcome), outcome, is_json=False) == 130
    assert "Not complete" in capsys.readouterr().out


def test_a_crash_keeps_what_was_measured_and_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    def crash(number: int) -> None:
        if number == 4:
            raise EngineCrashed("The engine died.", "Load it again.")

    outcome = collect(lent_engine(before_reply=crash), PROMPTS, ComparisonSettings())
    assert len(outcome.comparisons) == 1
    assert show(recorded(outcome), outcome, is_json=True) == 4
    shown = capsys.readouterr()
    assert json.loads(shown.out)["is_complete"] is False
    assert "The engine died." in shown.err


def test_ctrl_c_before_anything_was_measured_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def events() -> Iterator[Comparison]:
        raise KeyboardInterrupt
        yield

    outcome = gather(events())
    assert show(recorded(outcome), outcome, is_json=True) == 130
    assert capsys.readouterr().out == ""


def test_a_record_holds_no_prompt_and_no_path(tmp_path: Path) -> None:
    (tmp_path / "target.gguf").write_bytes(b"12345")
    outcome = collect(lent_engine(), PROMPTS, ComparisonSettings())
    found = recorded(outcome, {"target": tmp_path / "target.gguf"})
    assert found["files"] == {"target": {"name": "target.gguf", "size_bytes": 5}}
    written = json.dumps(found)
    assert "code 0?" not in written and str(tmp_path) not in written


def test_progress_tells_a_pace_and_an_end() -> None:
    shown = describe(Progress("Plain against speculation: a", 14, 56, "prompts", 0.1), has_bar=False)
    assert shown == "Plain against speculation: a   25%  14 of 56  6.0 a minute  7 min left"
    assert "42 s left" in describe(Progress("x", 14, 56, "prompts", 1.0), has_bar=True)


def test_later_turns_are_left_out_and_it_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mt-bench.jsonl").write_text('{"turns": ["one", "two"]}\n{"turns": ["one"]}\n')
    assert app.run(["bench", "run", "--suite", str(tmp_path), "--target", "/nowhere", "--draft", "/nowhere"]) == 4
    assert "only the first is used (1 of 2)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "required: SUBCOMMAND"),
        (("dance",), "'dance' is not a subcommand"),
        (("run", "--suite", "nowhere"), "There is no suite nowhere"),
        (("run", "--domains", "cooking"), "no domain cooking"),
        (("run", "--limit", "0"), "0 is below the minimum of 1"),
        (("run", "--max-tokens", "1"), "1 is below the minimum of 2"),
        (("run", "--draft-length", "0"), "0 is below the minimum of 1"),
        (("run", "--prompt-tokens", "1,x"), "not a list of token IDs"),
        (("run", "--suite", "tiny", "--prompt-tokens", "1"), "not allowed with"),
        (("run", "--target", __file__), "Without a draft"),
        (("run", "--draft", __file__), "A draft cannot run"),
    ],
)
def test_nonsense_is_refused(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["bench", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and said in shown.err and "Traceback" not in shown.err


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["bench", "run", "--target", "/nowhere/t.gguf", "--draft", __file__]) == 4
    assert "/nowhere/t.gguf is not a file" in capsys.readouterr().err


@pytest.mark.native
def test_spark_tiny_is_measured_on_what_it_can_do(tiny_pair: SyntheticPair) -> None:
    done = sparkdesk(
        "bench", "run", "--threads", "1", "--limit", "1", "--domains", "counting,json", "--json", "--draft-length", "4"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["suite"], found["is_complete"], list(found["domains"])) == ("tiny", True, ["counting", "json"])
    assert found["command"].startswith("sparkdesk bench run --domains counting,json --limit 1 --max-tokens 256")
    assert found["overall"]["comparisons"] == 2 and "diverged" not in found["overall"]["verdicts"]
    assert found["overall"]["accepted_length"] > 1.5
    for each in found["prompts"]:
        for arm in ("plain", "speculative"):
            assert each[arm]["stats"]["prefilled_tokens"] == each[arm]["stats"]["prompt_tokens"]


@pytest.mark.native
def test_a_synthetic_pair_is_measured_by_its_tokens(synthetic_pair: SyntheticPair) -> None:
    done = sparkdesk(
        *("bench", "run", "--target", str(synthetic_pair.target), "--draft", str(synthetic_pair.draft)),
        *("--prompt-tokens", numbers(synthetic_pair.prompt_tokens), "--repeat", "2", "--max-tokens", "24"),
        *("--threads", "1", "--draft-length", "3"),
    )
    assert done.returncode == 0, done.stderr
    assert "1 prompt x 2" in done.stdout
    assert "2 identical" in done.stdout and str(synthetic_pair.target.parent) not in done.stdout


@pytest.mark.native
def test_a_terminal_s_ctrl_c_prints_what_there_is(tiny_pair: SyntheticPair) -> None:
    command = (*COMMAND, "bench", "run", "--threads", "1", "--repeat", "10000")
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, start_new_session=True, text=True
    )
    assert process.stderr is not None
    assert any("Plain against speculation" in line for line in process.stderr)
    os.killpg(process.pid, signal.SIGINT)
    shown, said = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 130, said
    assert "Not complete" in shown and "Traceback" not in said
