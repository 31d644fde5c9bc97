"""A reply's figures, and their stable names."""

from dataclasses import replace
from math import exp
from random import Random

import pytest

from sparkdesk.engine.round import Round
from sparkdesk.engine.stats import ReplyStats


def test_figures_add_up_over_rounds() -> None:
    stats = ReplyStats(prompt_tokens=5, plain_ms_per_token=10.0)
    stats = stats.after(Round((1,), (False,), is_first=True))
    stats = stats.after(
        Round((2, 3, 4), (True, True, False), 3, 3, 2, draft_ms=4, verify_ms=11, other_ms=1, absorb_ms=2)
    )
    stats = stats.after(Round((5,), (False,), 3, 3, 0, draft_ms=4, verify_ms=8))
    assert (stats.generated, stats.rounds, stats.accepted, stats.verified) == (5, 2, 2, 6)
    assert stats.accepted_length == 2.0 and stats.acceptance == 2 / 6
    assert stats.acceptance_by_position == (0.5, 0.5, 0.0)
    assert stats.decode_ms == 30.0
    assert round(stats.tokens_per_second) == 133
    assert stats.saved_ms == 10.0 and round(stats.speedup, 2) == 1.33


def test_a_shorter_draft_does_not_thin_out_later_positions() -> None:
    """Acceptance at position 3 counts only rounds in which position 3 was verified."""
    stats = ReplyStats().after(Round((1, 2, 3, 4), (), 3, 3, 3)).after(Round((5,), (), 1, 1, 0))
    assert stats.acceptance_by_position == (0.5, 1.0, 1.0)


def test_an_estimate_of_plain_decoding_that_cannot_be_claims_no_gain() -> None:
    """On a busy machine a plain step was once estimated at ten times a whole pass, and a gain of 41 was claimed."""
    stats = ReplyStats(plain_ms_per_token=5600).after(Round((1,), (False,), is_first=True))
    stats = stats.after(Round((2, 3, 4, 5), (True, True, True, False), 3, 3, 3, draft_ms=200, verify_ms=600))
    assert stats.plain_ms == 1.1 * 600
    assert stats.speedup < stats.accepted_length
    assert round(stats.saved_ms) == 4 * 660 - 800


def speculated(stats: ReplyStats, *, plain_ms: float, verify_ms: float, tokens: int = 4) -> ReplyStats:
    done = Round((2,) * tokens, (True,) * (tokens - 1) + (False,), 3, 3, 3, verify_ms=verify_ms)
    return stats.after(replace(done, plain_ms_per_token=plain_ms))


def test_each_token_is_held_against_plain_decoding_at_its_own_time() -> None:
    """Load that went away in mid-reply was once taken for speculation's gain, and for its cost where it came."""
    stats = ReplyStats().after(Round((1,), (False,), is_first=True))
    for plain_ms, verify_ms in ((100.0, 110.0), (10.0, 11.0)):
        for _ in range(5):
            stats = speculated(stats, plain_ms=plain_ms, verify_ms=verify_ms)
    assert stats.saved_ms == 20 * 100 + 20 * 10 - 5 * 110 - 5 * 11
    assert stats.plain_ms == 55


def test_where_plain_decoding_was_not_measured_under_the_same_load_nothing_is_claimed() -> None:
    stats = ReplyStats().after(Round((1,), (False,), is_first=True))
    for _ in range(9):
        stats = speculated(stats, plain_ms=0.0, verify_ms=12)
    assert stats.saved_ms == stats.speedup == stats.saved_by_speculation_ms == 0
    stats = speculated(stats, plain_ms=10.0, verify_ms=12)
    assert stats.speedup > 1, "what is measured then holds for the reply"
    assert stats.saved_by_speculation_ms == 0, "but is too little for a sum that is kept"
    for _ in range(9):
        stats = speculated(stats, plain_ms=10.0, verify_ms=12)
    assert stats.saved_by_speculation_ms == stats.saved_ms > 0


def test_a_few_stalls_are_not_called_a_cost_of_speculation() -> None:
    """Beside busy programs a reply whose rounds all gained but two was told to cost 69 %."""
    stats = ReplyStats().after(Round((1,), (False,), is_first=True))
    for turn in range(14):
        stats = speculated(stats, plain_ms=2.0, verify_ms=100.0 if turn in (3, 9) else 4.0)
    assert stats.decode_ms > 2 * stats.decoded * 2.0
    assert stats.saved_ms == 0 and stats.speedup == 1 and stats.saved_by_speculation_ms == 0


@pytest.mark.parametrize("noise", [0.0, 0.2, 0.5])
def test_a_pair_that_loses_in_every_round_is_told_to(noise: float) -> None:
    stats, random = ReplyStats().after(Round((1,), (False,), is_first=True)), Random(1)
    for _ in range(40):
        stats = speculated(stats, plain_ms=2.0, verify_ms=6.0 * exp(random.gauss(0, noise)), tokens=2)
    assert stats.saved_ms < 0 and stats.speedup < 0.9


def test_a_reply_kept_from_before_that_was_measured_counts_in_no_sum() -> None:
    """Such replies claimed a minute saved of sixteen seconds, for good."""
    kept = ReplyStats(generated=100, rounds=30, verified=100, verify_ms=900, plain_ms_per_token=30)
    assert kept.saved_by_speculation_ms == 0


def test_steps_without_drafts_mean_nothing_where_plain_decoding_was_never_measured() -> None:
    """A server does not tell which of its tokens came together."""
    stats = ReplyStats().after(Round((1,), (False,), is_first=True))
    for _ in range(20):
        stats = stats.after(Round((2,), (False,), verify_ms=10))
    assert stats.speedup == 0.0


def test_what_speculation_saved_is_nothing_where_nothing_was_verified() -> None:
    stats = ReplyStats(plain_ms_per_token=10).after(Round((1,), (False,), is_first=True))
    stats = stats.after(Round((2,), (False,), verify_ms=9.5))
    assert stats.saved_ms > 0 == stats.saved_by_speculation_ms


def test_an_empty_reply_has_no_division_by_zero() -> None:
    stats = ReplyStats()
    assert stats.tokens_per_second == stats.accepted_length == stats.acceptance == stats.speedup == stats.saved_ms == 0


def test_the_names_scripts_rely_on_are_there() -> None:
    assert set(ReplyStats().as_json()) >= {
        *("tokens_per_second", "generated", "prompt_tokens", "prefilled_tokens", "prefill_ms", "rounds"),
        *("accepted_length", "acceptance", "acceptance_by_position", "draft_ms", "absorb_ms", "verify_ms", "other_ms"),
    }
