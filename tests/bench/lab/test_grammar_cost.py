"""The measurement of grammars runs, and says a line for every case."""

import pytest

from sparkdesk.bench.lab.grammar_cost import main
from sparkdesk.bench.synthetic.pair import SyntheticPair

pytestmark = pytest.mark.native


def test_every_case_is_measured(synthetic_pair: SyntheticPair, capsys: pytest.CaptureFixture[str]) -> None:
    tokens = ",".join(map(str, synthetic_pair.prompt_tokens))
    files = ["--target", str(synthetic_pair.target), "--draft", str(synthetic_pair.draft)]
    main([*files, "--prompt-tokens", tokens, "--tokens", "12", "--repeat", "1", "--threads", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 * 3 * 2
    assert all("ms a token" in line for line in lines)
    assert all(not line.endswith(" 0 tokens") for line in lines)
