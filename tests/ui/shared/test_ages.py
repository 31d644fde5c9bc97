"""How long ago something was, and under which day a list has it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sparkdesk.ui.shared.numbers import age, day

NOW = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)  # a Thursday


@pytest.mark.parametrize(
    ("ago", "words", "heading"),
    [
        (timedelta(seconds=20), "now", "Today"),
        (timedelta(seconds=-5), "now", "Today"),  # a clock that was set back
        (timedelta(minutes=5), "5 min", "Today"),
        (timedelta(hours=3), "3 h", "Today"),
        (timedelta(hours=11), "11 h", "Yesterday"),
        (timedelta(days=1, hours=2), "1 day", "Yesterday"),
        (timedelta(days=3), "3 days", "Monday"),
        (timedelta(days=14), "12 Nov", "November 2026"),
        (timedelta(days=400), "22 Oct 2025", "October 2025"),
    ],
)
def test_a_moment_has_an_age_and_a_day(ago: timedelta, words: str, heading: str) -> None:
    assert (age(NOW - ago, NOW), day(NOW - ago, NOW)) == (words, heading)


def test_days_are_those_of_the_place_where_the_user_is() -> None:
    in_tokyo = NOW.astimezone(timezone(timedelta(hours=9)))  # 18:30
    assert day(NOW - timedelta(hours=11), in_tokyo) == "Today"
