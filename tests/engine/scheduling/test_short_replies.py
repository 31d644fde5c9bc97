"""Replies that are over before a draft can pay: their share is learned, and they are answered plainly."""

import json

import numpy as np
import pytest

from sparkdesk.bench.lab.simulation import JAGGED, SMOOTH, STEEP, Machine
from sparkdesk.engine.scheduling.reply_lengths import ReplyLengths
from sparkdesk.engine.settings import Control, GenerationSettings, SamplingSettings
from sparkdesk.engine.speculate import generate
from tests.engine.scheduling.test_tuner import TUNED, clock, long_pair, shares
from tests.engine.tables import Run, ScriptedPair, collect

TINY = Machine(
    "tiny (half a millisecond a step)",
    (0.55, 0.95, 1.0, 1.15, 1.4, 1.5, 1.6, 1.65, 1.9, 2.1, 2.2, 2.3, 2.5, 2.6, 2.7, 2.8),
    (0.16, 0.2, 0.25, 0.3, 0.34, 0.4, 0.45),
    (0.1, 0.1, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16),
)


def reply_of(pair: ScriptedPair, tokens: int, *, start: int) -> Run:
    """A prompt of 30 tokens, and a reply that ends by itself after so many, its end included."""
    prompt = tuple(range(start, start + 30))
    settings = GenerationSettings(
        max_tokens=400, stop_tokens=frozenset({prompt[-1] + tokens}), sampling=SamplingSettings(temperature=0)
    )
    return collect(generate(pair, prompt, settings, Control(TUNED)))


def gains(pair: ScriptedPair, lengths: tuple[int, ...], *, replies: int) -> dict[int, float]:
    """Speed over plain decoding by the length of the reply, each length in turn; the first replies only teach."""
    random, spent, plain = np.random.default_rng(2), dict.fromkeys(lengths, 0.0), dict.fromkeys(lengths, 0.0)
    for turn in range(replies):
        length = lengths[turn % len(lengths)]
        before = clock(pair).elapsed_ms
        stats = reply_of(pair, length, start=int(random.integers(5, 3000))).outcome.stats
        if turn >= 2 * len(lengths):
            spent[length] += clock(pair).elapsed_ms - before
            plain[length] += stats.decoded * clock(pair).machine.target_ms[0]
    return {length: plain[length] / spent[length] for length in lengths}


@pytest.mark.parametrize("machine", [TINY, JAGGED, STEEP], ids=lambda machine: str(machine.name))
@pytest.mark.parametrize("share", [0.6, 0.85, 0.97])
def test_short_replies_among_long_ones_are_not_slower_than_plain(machine: Machine, share: float) -> None:
    """Words and facts, replies of 3 to 10 tokens, once ran at three quarters of plain decoding."""
    found = gains(long_pair(shares((share, 64)), machine), (3, 120, 5, 90, 10, 150), replies=60)
    assert min(found.values()) >= 0.97


def test_long_replies_keep_their_gain() -> None:
    found = gains(long_pair(shares((0.97, 64)), TINY), (3, 120, 5, 90, 10, 150), replies=60)
    assert min(found[length] for length in (90, 120, 150)) > 1.5


def test_where_all_replies_are_long_drafting_begins_at_once() -> None:
    pair = long_pair(shares((0.97, 64)), SMOOTH)
    for turn in range(6):
        done = reply_of(pair, 200, start=5 + 300 * turn)
    assert [bool(round_.drafted) for round_ in done.rounds[1:4]] == [True] * 3


def test_a_parked_pair_does_not_look_at_replies_that_are_over_at_once() -> None:
    pair = long_pair(shares((0.0, 64)), STEEP)
    reply_of(pair, 300, start=5)
    assert pair.tuner.parking.is_parked
    drafted = [reply_of(pair, 4, start=700 + 50 * turn) for turn in range(30)]
    assert sum(bool(round_.drafted) for run in drafted[10:] for round_ in run.rounds) <= 1


def test_what_is_drafted_behind_the_end_is_not_verified() -> None:
    """Neither can the token behind the end be asked for: the reply is over when its end is accepted."""
    pair = long_pair(shares((1.0, 64)), SMOOTH)
    seen = 0
    for turn in range(12):
        done = reply_of(pair, 60 + turn, start=5 + 100 * turn)
        last = done.rounds[-1]
        assert last.has_end and len(done.tokens) == 59 + turn
        if last.verified and last.verified == len(last.tokens) + 1:
            seen += 1
            assert last.accepted == last.verified == clock(pair).rounds[-1].rows
        else:
            assert last.verified == len(last.tokens), "the end came as the bonus token"
    assert seen > 6


@pytest.mark.parametrize(
    ("replies", "position", "is_sure"),
    [
        ([], 0, True),
        ([200] * 10, 0, True),
        ([3] * 10, 0, False),
        ([3, 200] * 5, 0, False),
        ([3, 200] * 10, 6, True),
        ([3, 20, 200] * 10, 14, False),
        ([4] * 3 + [300] * 60, 0, True),
    ],
)
def test_how_replies_went_so_far_tells_how_they_go_on(replies: list[int], position: int, is_sure: bool) -> None:
    lengths = ReplyLengths()
    for tokens in replies:
        lengths.add(tokens, has_ended=True)
    assert lengths.goes_on(position) is is_sure


def test_a_reply_that_was_cut_off_says_nothing_about_ends() -> None:
    lengths = ReplyLengths()
    for _ in range(10):
        lengths.add(3, has_ended=False)
    assert lengths.goes_on(0)


def test_it_is_a_probability_that_never_rises() -> None:
    lengths = ReplyLengths()
    for tokens in (3, 9, 27, 81, 243, 729) * 4:
        lengths.add(tokens, has_ended=True)
    for position in (0, 5, 100, 5000):
        alive = lengths.alive(position, 32)
        assert alive[0] == 1.0 and (np.diff(alive) <= 0).all() and alive[-1] > 0
        assert 0 < lengths.remaining(position) <= 512


def test_it_is_remembered() -> None:
    lengths, again = ReplyLengths(), ReplyLengths()
    for _ in range(10):
        lengths.add(3, has_ended=True)
    again.restore(json.loads(json.dumps(lengths.state())))
    assert not again.goes_on(0)
    with pytest.raises(ValueError):
        again.restore({"tokens": [1.0], "ends": [1.0]})
