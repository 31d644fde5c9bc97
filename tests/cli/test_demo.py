"""`sparkdesk demo --prompt`: the bundled pair, answered plainly and with speculation, and compared."""

import json
from pathlib import Path

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair
from tests.cli.command_line import sparkdesk

pytestmark = pytest.mark.native

COUNT = ("demo", "--threads", "1", "--prompt", "Count from 1 to 40.")


def test_the_first_run_converts_the_pair_and_both_answers_are_the_same(tmp_path: Path) -> None:
    """Nothing is known of the machine yet, so that some rounds are drafted however busy it is.

    How much the draft gains is tested with a fixed length, in test_bench_race.py.
    """
    done = sparkdesk(*COUNT, "--json", environment={"SPARKDESK_HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["verdict"]["kind"] in ("identical", "near-tie")
    assert found["plain"]["text"].startswith("1, 2, 3, 4, 5") and found["speculative"]["text"].startswith("1, 2, 3")
    plain, speculative = found["plain"]["stats"], found["speculative"]["stats"]
    assert (plain["accepted_length"], plain["draft_ms"]) == (1.0, 0)
    assert speculative["draft_ms"] > 0 and speculative["accepted_length"] > 1
    assert found["speedup"] > 0
    (folder,) = (tmp_path / "data" / "models").iterdir()
    assert folder.name.startswith("spark-tiny-")
    assert sorted(path.name for path in folder.iterdir()) == ["draft.gguf", "target.gguf"]


def test_in_words_the_answer_comes_first(tiny_pair: SyntheticPair) -> None:
    lines = sparkdesk(*COUNT).stdout.splitlines()
    assert lines[0].startswith("1, 2, 3")
    assert [line.split()[0] for line in lines[-4:]] == ["plain", "speculative", "result", "verdict"]


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = sparkdesk(*COUNT, environment={"SPARKDESK_HOME": str(tmp_path / "file" / "home")})
    assert (done.returncode, done.stdout) == (3, "")
    assert "SPARKDESK_HOME" in done.stderr and "Traceback" not in done.stderr
