"""What the scheduler does, held still: the pure part, without a screen."""

from dataclasses import replace
from itertools import pairwise
from random import Random

from sparkdesk.engine.round import Round
from sparkdesk.ui.chat.draft_choice import NO_CHOICE, ChoiceWatch, DraftChoice

DRAFTED = Round((1, 2), (True, False), 3, verified=3, accepted=1, source="draft", verify_ms=5)
PARKED = Round((1,), (False,), is_parked=True, expected_gain=0.926, verify_ms=5)
ECHO = Round((1, 2), (True, False), verified=12, accepted=1, source="context", verify_ms=5)


def watched(*rounds: Round) -> DraftChoice:
    watch = ChoiceWatch()
    for done in rounds:
        watch.add(done)
    return watch.choice


def test_nothing_is_claimed_before_anything_was_seen() -> None:
    assert ChoiceWatch().choice == NO_CHOICE
    assert watched(replace(PARKED, is_parked=False)) == NO_CHOICE


def test_a_length_that_wobbles_between_two_is_shown_as_one() -> None:
    """The scheduler may change its mind every round, hundreds of times a second."""
    watch, chance, shown = ChoiceWatch(), Random(3), []
    for _ in range(2000):
        watch.add(replace(DRAFTED, verified=chance.choice((2, 3, 3, 4, 5)), verify_ms=chance.uniform(2, 9)))
        shown.append(watch.choice.length)
    changes = sum(before != after for before, after in pairwise(shown[100:]))
    assert changes == 0
    assert shown[-1] in (3, 4)


def test_a_length_that_really_changes_is_followed() -> None:
    assert watched(*[DRAFTED] * 300, *[replace(DRAFTED, verified=6)] * 500).length == 6


def test_slow_rounds_are_not_taken_one_by_one() -> None:
    slow = replace(DRAFTED, verify_ms=4000)
    assert watched(*[slow] * 9, replace(slow, verified=5)).length == 3


def test_repeated_text_and_probes_say_nothing_about_the_drafts_length() -> None:
    probe = replace(DRAFTED, verified=7, is_parked=True)
    assert watched(*[DRAFTED, ECHO] * 50, probe, DRAFTED).length == 3


def test_parking_says_what_drafts_would_cost() -> None:
    assert watched(PARKED) == DraftChoice(is_parked=True, cost_percent=8)


def test_parking_gives_no_reason_where_the_cost_is_next_to_nothing_or_unknown() -> None:
    for gain in (0.0, 0.995, 1.02):
        assert watched(replace(PARKED, expected_gain=gain)) == DraftChoice(is_parked=True)


def test_a_single_parked_round_is_not_announced_and_a_stretch_of_them_is() -> None:
    assert not watched(*[DRAFTED] * 50, PARKED).is_parked
    assert watched(*[DRAFTED] * 50, *[PARKED] * 300).is_parked
    assert not watched(*[PARKED] * 50, *[DRAFTED] * 300).is_parked


def test_what_is_expected_is_told_to_a_tenth_and_not_of_a_length_of_ones_own() -> None:
    expecting = replace(DRAFTED, expected_gain=2.13)
    assert watched(*[expecting] * 9) == DraftChoice(3, expected_gain=2.1)
    assert watched(*[expecting] * 9, DRAFTED).expected_gain == 0
