"""The clock of a replay: true speed first, slow motion for what was too short to see, and the keys."""

import pytest

from sparkdesk.ui.bench.race_view import SPEEDS, TRUE_SPEED, Replay, slow_motion


def test_a_long_race_runs_once_at_its_true_speed() -> None:
    replay = Replay(5000)
    replay.advance(1000)
    assert (replay.at_ms, replay.speed, replay.is_over) == (1000, TRUE_SPEED, False)
    replay.advance(9000)
    assert replay.at_ms == 5000 and replay.is_over
    replay.advance(9000)
    assert replay.at_ms == 5000 and replay.is_over


def test_a_short_race_is_shown_at_its_true_speed_and_then_in_slow_motion() -> None:
    replay = Replay(500)
    replay.advance(500)
    assert replay.is_at_end and not replay.is_over
    replay.advance(500)
    assert replay.is_at_end and replay.speed == TRUE_SPEED, "the true time is shown for a moment"
    replay.advance(500)
    assert replay.at_ms == 0 and replay.speed == 1 / 8
    replay.advance(800)
    assert replay.at_ms == 100
    replay.advance(1e6)
    assert replay.is_over


@pytest.mark.parametrize(("duration_ms", "speed"), [(2400, 0.5), (1000, 0.25), (999, 0.125), (80, 1 / 32), (0, 1 / 32)])
def test_slow_motion_leaves_four_seconds_to_look_where_it_can(duration_ms: float, speed: float) -> None:
    assert slow_motion(duration_ms) == speed


def test_it_can_be_held_and_goes_on_from_there() -> None:
    replay = Replay(5000)
    replay.advance(100)
    replay.toggle_pause()
    replay.advance(1000)
    assert replay.at_ms == 100
    replay.toggle_pause()
    replay.advance(100)
    assert replay.at_ms == 200


def test_speeds_go_up_and_down_and_end_somewhere() -> None:
    replay = Replay(5000)
    replay.change_speed(1)
    replay.advance(100)
    assert replay.at_ms == 200 and replay.speed_in_words == "2 times true speed"
    for _ in SPEEDS:
        replay.change_speed(-1)
    assert replay.speed == SPEEDS[0] and replay.speed_in_words == "slow motion, 1/32 of true speed"


def test_skipping_and_watching_again_take_no_detour_by_slow_motion() -> None:
    replay = Replay(500)
    replay.skip()
    assert replay.is_over
    replay.again()
    assert replay.at_ms == 0 and replay.speed == TRUE_SPEED
    replay.advance(500)
    assert replay.is_over
