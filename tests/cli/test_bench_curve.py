"""`sparkdesk bench curve`: a table, a plot and a recommendation, whole or broken off."""

import json
from collections.abc import Iterator

import pytest

from sparkdesk.bench.curves import curves_of
from sparkdesk.bench.sweep import Swept
from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.cli.bench_curve import gather, report
from sparkdesk.cli.color import Colors
from sparkdesk.events import Progress
from tests.bench.scripted_engine import drafted_rounds, plain_rounds, reply
from tests.chat.fake_engine import MODEL
from tests.cli.command_line import numbers, sparkdesk

CURVES = curves_of([plain_rounds(4), *(drafted_rounds(4, accepted=k, drafted=k, ms=15.0) for k in (1, 2, 3))])


@pytest.mark.parametrize("has_unicode", [True, False])
def test_the_report_fits_a_hundred_columns(has_unicode: bool) -> None:
    lines = list(report(CURVES, MODEL, paint=Colors(), has_unicode=has_unicode, is_complete=False))
    assert max(map(len, lines)) <= 100
    assert has_unicode or all(line.isascii() for line in lines)
    text = "\n".join(lines)
    assert "Not complete" in text and "T verify" in text and "15.00" in text
    # 1 + .95 + .95^2 + .95^3 tokens in 15 ms against one in 10.
    assert text.splitlines()[-1].split()[-1] == "2.47x"


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
