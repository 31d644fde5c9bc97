"""What the screen computes without a screen: bars, words, speed over time, the meter, the inbox."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest

from sparkdesk.chat.events import PrefillAdvanced, ReplyAdvanced, ReplyFinished
from sparkdesk.chat_format.reasoning import split_reply
from sparkdesk.engine.round import Round
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.events import Notice, Progress, Report
from sparkdesk.ui.chat.draft_choice import NO_CHOICE
from sparkdesk.ui.chat.live_stats import LiveStats
from sparkdesk.ui.chat.speed_history import CAPACITY, SpeedHistory
from sparkdesk.ui.chat.widgets.loading_view import remaining_s
from sparkdesk.ui.shared import bars, numbers
from sparkdesk.ui.shared.event_queue import ReplyQueue, calm_progress, until
from sparkdesk.ui.shared.frame_pacer import Pace
from sparkdesk.ui.shared.prompt import PromptHistory

SPECULATING = Round((1, 2, 3), (True, True, False), 3, 3, 2, draft_ms=1, verify_ms=3, plain_ms_per_token=2)
PLAIN = Round((1,), (False,), verify_ms=3, plain_ms_per_token=2)
PARKED = Round((1,), (False,), is_parked=True, expected_gain=0.9, verify_ms=2, plain_ms_per_token=2)


def advances(*rounds: tuple[Round, bool]) -> list[ReplyAdvanced]:
    stats, events = ReplyStats(generated=1), []
    for done, is_speculating in rounds:
        stats = stats.after(done)
        events.append(ReplyAdvanced("x", done, stats, is_speculating))
    return events


@pytest.mark.parametrize(
    ("fraction", "expected"), [(0, "    "), (0.5, "██  "), (1, "████"), (0.53, "██▏ "), (7, "████")]
)
def test_a_bar_is_exact_to_an_eighth(fraction: float, expected: str) -> None:
    assert bars.bar(fraction, 4) == expected


def test_shares_fill_the_width_exactly() -> None:
    assert sum(bars.shares((1.0, 1.0, 1.0), 10)) == 10
    assert bars.shares((0.0, 0.0), 10) == (0, 0)


@pytest.mark.parametrize(("value", "expected"), [(0, 1), (7.6, 10), (98, 100), (123, 150), (1001, 1500), (0.05, 0.1)])
def test_the_scale_is_a_round_number_above(value: float, expected: float) -> None:
    assert bars.round_up(value) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("speedup", "expected"),
    [
        (1.41, f"1.41{numbers.TIMES} · saved 410 ms"),
        (0.943, "costing you 6 %"),
        (0.25, f"4.0{numbers.TIMES} slower than plain"),
        (1.001, "as fast as plain"),
        (0, ""),
    ],
)
def test_a_gain_is_told_in_words(speedup: float, expected: str) -> None:
    stats = ReplyStats(generated=1001, rounds=500, verify_ms=1000, plain_ms_per_token=speedup)
    assert numbers.gain(stats) == expected


def test_a_round_or_two_claim_neither_gain_nor_loss() -> None:
    """One token more of a finished reply was once "3.5 times slower than plain"."""
    stats = ReplyStats(generated=3, rounds=2, verified=3, verify_ms=70, plain_ms_per_token=10)
    assert numbers.gain(stats) == "" and not numbers.is_loss(stats)
    assert numbers.reply_line(stats).endswith("accepted length 1.00")


def test_a_parked_reply_neither_wins_nor_loses() -> None:
    """Plain decoding is now and then a little slower than plain decoding; that is no cost of speculation."""
    stats = ReplyStats(generated=101, rounds=100, verify_ms=1008, plain_ms_per_token=10)
    assert numbers.gain(stats, parked_rounds=100) == "parked"
    assert not numbers.is_loss(stats, parked_rounds=100)
    assert numbers.gain(stats, parked_rounds=20) == "costing you 1 %"
    assert numbers.is_loss(stats, parked_rounds=20)
    assert numbers.reply_line(stats, parked_rounds=100).endswith("101 tokens · plain decoding (parked)")


def test_where_nothing_was_drafted_speculation_lost_nothing_however_slow_the_machine_was() -> None:
    """A busy machine once made a wholly parked reply "5.5 times slower than plain"."""
    stats = ReplyStats(generated=101, rounds=100, verify_ms=5500, plain_ms_per_token=10)
    assert numbers.gain(stats, parked_rounds=100) == "parked"
    assert not numbers.is_loss(stats, parked_rounds=100)


def test_a_loss_is_told_also_where_most_of_it_was_parked() -> None:
    stats = ReplyStats(generated=101, rounds=100, verified=30, verify_ms=1050, plain_ms_per_token=10)
    assert numbers.gain(stats, parked_rounds=90) == "costing you 5 %"


@pytest.mark.parametrize(
    ("ms", "expected"), [(340, "340 ms"), (2300, "2.3 s"), (72_000, "1 min 12 s"), (11_100_000, "3 h 5 min")]
)
def test_durations_have_their_natural_unit(ms: float, expected: str) -> None:
    assert numbers.duration(ms) == expected


def test_speed_bins_hold_every_token_and_double_when_they_run_out() -> None:
    history = SpeedHistory()
    for _ in range(1000):
        history.add(3, 7.0, is_speculating=True)
    assert sum(each.tokens for each in history.bins) == pytest.approx(3000)
    assert len(history.bins) <= CAPACITY
    assert history.now == pytest.approx(3000 / 7)


def test_the_oldest_speed_is_dropped_once_bins_are_long() -> None:
    history = SpeedHistory()
    for _ in range(100):
        history.add(1, 2000.0, is_speculating=False)
    assert len(history.bins) == CAPACITY
    assert history.bins[-1].tokens_per_second == pytest.approx(0.5)


def test_savings_count_speculating_rounds_only() -> None:
    """A plain reply that ran slower than the plain estimate was once booked as a loss of speculation."""
    meter = LiveStats()
    meter.begin_reply()
    meter.add(advances(*[(PLAIN, False)] * 4))
    meter.end_reply()
    assert meter.figures().totals.saved_ms == 0
    meter.begin_reply()
    meter.add(advances(*[(SPECULATING, True)] * 5, (PLAIN, False)))
    meter.end_reply()
    assert meter.figures().totals.saved_ms == pytest.approx(5 * (3 * 2 - 4))
    assert meter.figures().totals.replies == 2


def test_what_it_saved_while_it_was_on_is_held_against_plain_decoding_of_that_time() -> None:
    """Plain steps made later, when the machine had become free, once halved what had been saved before."""
    slow = replace(SPECULATING, verify_ms=9, plain_ms_per_token=8)
    meter = LiveStats()
    meter.begin_reply()
    meter.add(advances(*[(slow, True)] * 5, *[(replace(PLAIN, verify_ms=4, plain_ms_per_token=4), False)] * 10))
    shown = meter.figures().speculation
    assert shown.plain_ms == 8.0
    assert shown.saved_ms == pytest.approx(5 * (3 * 8 - 10))


def test_the_meter_keeps_the_last_speculation_through_a_plain_reply() -> None:
    meter = LiveStats()
    meter.begin_reply()
    meter.add(advances((SPECULATING, True)))
    meter.end_reply()
    meter.begin_reply()
    meter.add(advances((PLAIN, False)))
    assert meter.figures().speculation.accepted_length == 3
    assert not meter.figures().is_speculating


def test_text_that_was_held_back_to_the_end_is_no_round() -> None:
    """It counted as one that gained nothing, and took a little of the accepted length."""
    meter = LiveStats()
    meter.begin_reply()
    meter.add(advances((SPECULATING, True), (Round((), ()), True)))
    assert meter.figures().speculation.accepted_length == 3


def test_parked_rounds_count_as_speculation_that_is_switched_on() -> None:
    meter = LiveStats()
    meter.begin_reply()
    meter.add(advances(*[(PARKED, True)] * 6))
    shown = meter.figures()
    assert shown.is_speculating
    assert (shown.speculation.rounds, shown.parked_rounds) == (6, 6)
    assert (shown.speculation.accepted_length, shown.speculation.acceptance) == (1.0, 0.0)
    assert shown.speculation.speedup == pytest.approx(1.0)
    assert shown.choice.is_parked


def test_the_choice_is_told_of_a_running_reply_only() -> None:
    meter = LiveStats()
    meter.begin_reply()
    meter.add(advances((PARKED, True)))
    meter.end_reply()
    assert meter.figures().choice == NO_CHOICE
    assert meter.parked_rounds == 1
    meter.begin_reply()
    assert meter.figures().choice == NO_CHOICE
    assert meter.parked_rounds == 0


def test_the_inbox_gives_everything_once_and_in_order() -> None:
    inbox = ReplyQueue()
    assert inbox.take() is None
    first, second = advances((PLAIN, False), (PLAIN, False))
    end = ReplyFinished("xx", (1, 1), "end", second.stats)
    for event in (PrefillAdvanced(1, 2, 0), PrefillAdvanced(2, 2, 0), first, second, end):
        inbox.put(event)
    batch = inbox.take()
    assert batch is not None
    assert (batch.prefill, batch.advances, batch.end) == (PrefillAdvanced(2, 2, 0), (first, second), end)
    assert batch.text == "xx"
    assert inbox.take() is None


def test_progress_is_thinned_but_never_its_ends_nor_notices() -> None:
    ticks = count(0, 1e-6)
    steps = [Progress("a", done, 100, "") for done in range(101)]
    events: list[Report] = [*steps, Notice("n"), Progress("b", 0, 1, "")]
    shown = list(calm_progress(iter(events), has_ended=lambda: False, clock=lambda: next(ticks)))
    assert shown == [events[0], events[100], Notice("n"), events[-1]]


def test_a_worker_that_is_told_to_end_closes_the_journey() -> None:
    closed = []

    def journey() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    assert list(until(journey(), has_ended=lambda: True)) == [1]
    assert closed


def test_drawing_takes_at_most_a_third_of_the_time() -> None:
    now = worked = 10.0
    pace = Pace(clock=lambda: now, work_clock=lambda: worked)
    assert pace.is_due
    pace.begin()
    now, worked = 10.08, 10.06
    assert not pace.is_due
    now = 10.17
    assert not pace.is_due
    now = 10.181
    assert pace.is_due


def test_a_picture_that_took_very_long_does_not_hold_back_the_next_for_ever() -> None:
    now = worked = 10.0
    pace = Pace(clock=lambda: now, work_clock=lambda: worked)
    pace.begin()
    now = worked = 10.5
    assert pace.is_due


def test_history_keeps_the_unsent_prompt() -> None:
    history = PromptHistory()
    history.add("one")
    history.add("two")
    history.add("two")
    assert [history.older("half"), history.older(""), history.older("")] == ["two", "one", None]
    assert [history.newer(), history.newer(), history.newer()] == ["two", "half", None]


def test_an_open_thought_is_not_an_answer_yet() -> None:
    assert split_reply("<think>hm").is_reasoning
    assert split_reply("<think>hm</think>\n\nyes").answer == "yes"
    assert not split_reply("plain").is_reasoning


def test_the_remaining_time_comes_from_the_rate_or_from_experience() -> None:
    assert remaining_s(Progress("a", 40, 100, "tensors", 20.0), 9.0) == 3
    assert remaining_s(Progress("a", 25, 100, ""), 2.0) == pytest.approx(6)
    assert remaining_s(Progress("a", 0, 100, ""), 2.0) is None
