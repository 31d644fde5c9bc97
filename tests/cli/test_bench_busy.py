"""`sparkdesk bench busy`: a pair and a target alone, beside real busy loops."""

import json
from pathlib import Path

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.cli.bench_busy import report
from tests.cli.command_line import numbers, sparkdesk

SHOWN = {
    "model": {"target": "Some model", "draft": "Its draft"},
    "build": {"threads": 2},
    "loops": 2,
    "load_average_before": 0.3,
    "tokens_per_second": {"plain": {"quiet": 80.0, "busy": 40.0}, "speculative": {"quiet": 160.0, "busy": 60.0}},
    "busy_share": {"plain": 0.5, "speculative": 0.375},
    "gain": {"quiet": 2.0, "busy": 1.5},
}


def test_the_report_fits_eighty_columns() -> None:
    lines = report(SHOWN).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].split() == ["plain", "80.0", "tok/s", "40.0", "tok/s", "0.50"]
    assert lines[4].split() == ["gain", "2.00x", "1.50x"]
    alone = {
        **SHOWN,
        "tokens_per_second": {"plain": {"quiet": 8.0, "busy": 4.0}, "speculative": {"quiet": 0, "busy": 0}},
    }
    assert "speculative" not in report({**alone, "gain": {"quiet": 0, "busy": 0}})


@pytest.mark.native
def test_a_pair_is_measured_in_all_ways(synthetic_pair: SyntheticPair) -> None:
    done = sparkdesk(
        *("bench", "busy", "--target", str(synthetic_pair.target), "--draft", str(synthetic_pair.draft)),
        *("--prompt-tokens", numbers(synthetic_pair.prompt_tokens), "--max-tokens", "16", "--repeat", "1"),
        *("--loops", "1", "--threads", "1", "--json"),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["command"].startswith("sparkdesk bench busy") and found["loops"] == 1
    for way in ("plain", "speculative"):
        assert found["tokens_per_second"][way]["quiet"] > 0 < found["tokens_per_second"][way]["busy"]
        assert found["busy_share"][way] > 0


@pytest.mark.native
def test_a_real_target_alone_is_measured(smollm2: Path) -> None:
    done = sparkdesk(
        *("bench", "busy", "--target", str(smollm2), "--domains", "prose", "--max-tokens", "8", "--repeat", "1"),
        *("--loops", "1", "--threads", "1"),
    )
    assert done.returncode == 0, done.stderr
    assert "plain" in done.stdout and "speculative" not in done.stdout
