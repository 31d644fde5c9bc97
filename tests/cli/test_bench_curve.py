"""`sparkdesk bench curve`: a table, a plot and a recommendation, whole or broken off."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sparkdesk.bench.curves import curves_of
from sparkdesk.bench.sweep import Swept
from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.cli.bench_curve import as_json, comparison, gather, report
from sparkdesk.cli.color import Colors
from sparkdesk.events import Progress
from tests.bench.rounds import drafted_rounds, plain_rounds, reply
from tests.cli.command_line import numbers, sparkdesk
from tests.scripted_engine import MODEL

CURVES = curves_of([plain_rounds(4), *(drafted_rounds(4, accepted=k, drafted=k, ms=15.0) for k in (1, 2, 3))])


@pytest.mark.parametrize("has_unicode", [True, False])
def test_the_report_fits_a_hundred_columns(has_unicode: bool) -> None:
    lines = list(report(CURVES, MODEL, colors=Colors(), has_unicode=has_unicode, is_complete=False))
    assert max(map(len, lines)) <= 100
    assert has_unicode or all(line.isascii() for line in lines)
    text = "\n".join(lines)
    assert "Not complete" in text and "T verify" in text and "15.00" in text
    # 1 + .95 + .95^2 + .95^3 tokens in 15 ms against one in 10.
    assert text.splitlines()[-1].split()[-1] == "2.47x"


@pytest.mark.parametrize("kind", ["f16", "q8_0", "q4_0"])
def test_the_type_of_the_cache_is_named_where_it_is_not_the_usual_one(kind: str) -> None:
    model = replace(MODEL, cache_type=kind)
    lines = list(report(CURVES, model, colors=Colors(), has_unicode=False, is_complete=True))
    assert (f"KV cache {kind}" in lines[0]) == (kind != "f16")
    assert as_json(CURVES, model, command="", is_complete=True)["build"]["cache_type"] == kind


def test_ctrl_c_keeps_what_was_measured() -> None:
    def events() -> Iterator[Progress | Swept]:
        yield Swept(0, reply(plain_rounds(2)))
        raise KeyboardInterrupt

    found, code = gather(events())
    assert (len(found), code) == (1, 130)


@pytest.mark.native
def test_every_length_of_a_pair_is_measured(synthetic_pair: SyntheticPair) -> None:
    done = sparkdesk(
        *("bench", "curve", "--target", str(synthetic_pair.target), "--draft", str(synthetic_pair.draft)),
        *("--prompt-tokens", numbers(synthetic_pair.prompt_tokens), "--max-tokens", "24", "--threads", "1", "--json"),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["curves_ms"]["verify"]) >= {str(rows) for rows in range(1, 9)}
    assert set(found["curves_ms"]["draft"]) == {str(length) for length in range(1, 8)}
    assert len(found["choices"]) == 8 and found["is_complete"]


def test_numbers_of_threads_are_held_against_one_another() -> None:
    slower = curves_of(
        [plain_rounds(4, ms=30.0), *(drafted_rounds(4, accepted=k, drafted=k, ms=20.0) for k in (1, 2, 3))]
    )
    lines = list(comparison({1: slower, 2: CURVES}, Colors()))
    assert lines[1].split() == ["drafted", "1", "threads", "2", "threads"]
    assert [float(cell) for cell in lines[2].split()] == [0, 30.0, 10.0]
    assert len(lines) == 2 + 4


@pytest.mark.native
def test_each_number_of_threads_is_loaded_and_measured(synthetic_pair: SyntheticPair) -> None:
    done = sparkdesk(
        *("bench", "curve", "--target", str(synthetic_pair.target), "--draft", str(synthetic_pair.draft)),
        *("--prompt-tokens", numbers(synthetic_pair.prompt_tokens), "--max-tokens", "24", "--threads", "1,2"),
    )
    assert done.returncode == 0, done.stderr
    assert "threads 1" in done.stdout and "threads 2" in done.stdout
    assert "a whole round in ms, by drafted tokens and threads" in done.stdout


@pytest.mark.parametrize("given", ["", "x", "1,,2", "-1"])
def test_threads_that_make_no_sense_are_refused(given: str) -> None:
    done = sparkdesk("bench", "curve", f"--threads={given}")
    assert done.returncode == 2 and "--threads" in done.stderr
