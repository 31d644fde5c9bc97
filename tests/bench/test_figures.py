"""Figures of scripted comparisons, with numbers worked out by hand."""

from dataclasses import replace

import pytest

from sparkdesk.bench.figures import Share, by_domain, figures_of
from sparkdesk.bench.results import Comparison, Judgement
from sparkdesk.engine.round import Round
from tests.bench.rounds import drafted_rounds, plain_rounds, reply


def comparison(plain: list[Round], speculative: list[Round], *, domain: str = "code", kind: str = "") -> Comparison:
    judgement = Judgement(kind) if kind else None
    return Comparison("p", domain, 0, reply(plain), reply(speculative, first_token_ms=12.0), judgement)


def parts(share: Share) -> tuple[float, float, float]:
    return share.rounds, share.time, share.tokens


DOUBLED = comparison(plain_rounds(8), drafted_rounds(2, ms=20.0), kind="identical")
HALVED = comparison(plain_rounds(8), drafted_rounds(8, accepted=0, ms=20.0), domain="prose", kind="near-tie")


def test_gains_and_speeds() -> None:
    found = figures_of([DOUBLED, HALVED])
    assert found.comparisons == 2
    assert found.plain_speed.median == 100.0
    assert (found.speculative_speed.least, found.speculative_speed.most) == (50.0, 200.0)
    assert (found.gain.least, found.gain.median, found.gain.most) == (0.5, 1.25, 2.0)
    # 18 tokens each: 180 ms plainly, 40 + 160 + 20 ms with speculation.
    assert found.whole_gain == pytest.approx(180 / 220)
    assert found.plain_first_token_ms.median == 10.0 and found.speculative_first_token_ms.median == 12.0
    assert found.verdicts == {"identical": 1, "near-tie": 1}


def test_drafting() -> None:
    found = figures_of([DOUBLED, HALVED])
    assert found.accepted_length == pytest.approx(16 / 10)
    assert found.acceptance == pytest.approx(6 / 30)
    assert found.acceptance_by_position == pytest.approx((0.2, 0.2, 0.2))
    # First tokens: 2 of 10 accepted at 0.8; behind them all 4 accepted.
    assert found.calibrated is not None and found.calibrated.count == 14
    assert found.calibrated.accepted_share == pytest.approx(6 / 14)
    assert found.calibrated_by_position[0] is not None
    assert found.calibrated_by_position[0].error == pytest.approx(0.6)
    assert found.as_drafted is not None and found.as_drafted.mean_probability == pytest.approx(0.9)


def test_time_sources_and_parking() -> None:
    quoting = [replace(done, source="context", draft_ms=0.0, verify_ms=18.0) for done in drafted_rounds(1, ms=20.0)]
    parked = [replace(done, is_parked=True) for done in plain_rounds(2)]
    found = figures_of([comparison(plain_rounds(8), [*drafted_rounds(1, ms=20.0), *quoting, *parked])])
    assert found.time.total_ms == pytest.approx(60.0)
    assert (found.time.draft_ms, found.time.absorb_ms, found.time.other_ms) == (1.0, 2.0, 2.0)
    assert list(found.sources) == ["context", "draft", "plain"]
    assert parts(found.sources["context"]) == pytest.approx((0.25, 1 / 3, 0.4))
    assert parts(found.parked) == pytest.approx((0.5, 1 / 3, 0.2))


def test_a_reply_of_one_token_has_no_speed_and_spoils_none() -> None:
    found = figures_of([DOUBLED, comparison([], [])])
    assert found.comparisons == 2 and found.gain.count == 1 and found.gain.median == 2.0


def test_of_nothing_there_are_no_figures() -> None:
    found = figures_of([])
    assert (found.comparisons, found.whole_gain, found.acceptance, found.calibrated) == (0, 0.0, 0.0, None)


def test_domains_keep_their_order() -> None:
    found = by_domain([HALVED, DOUBLED, HALVED])
    assert list(found) == ["prose", "code"]
    assert [figures.comparisons for figures in found.values()] == [2, 1]
