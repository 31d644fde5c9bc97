"""Stop strings across the borders of tokens and characters."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sparkdesk.chat_format.stop_strings import StopMatcher

LETTERS = st.text("abc", max_size=30)
STOPS = st.lists(st.text("abc", min_size=1, max_size=4), max_size=4)


def told(pieces: list[str], stops: list[str]) -> tuple[str, str | None]:
    matcher = StopMatcher(stops)
    return "".join(map(matcher.feed, pieces)) + matcher.finish(), matcher.found


def cut(text: str, places: list[int]) -> list[str]:
    borders = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in pairwise(borders)]


@given(LETTERS, STOPS, st.lists(st.integers(0, 30)))
def test_any_split_of_the_text_ends_at_the_same_place(text: str, stops: list[str], places: list[int]) -> None:
    assert told(cut(text, places), stops) == told(list(text), stops)


@given(LETTERS, STOPS)
def test_the_text_is_told_up_to_the_stop_string_that_is_complete_first(text: str, stops: list[str]) -> None:
    said, found = told([text], stops)
    ends = [text.find(stop) + len(stop) for stop in stops if stop in text]
    if not ends:
        assert (said, found) == (text, None)
    else:
        assert found is not None and len(said) + len(found) == min(ends)
        assert text.startswith(said + found)


def test_what_may_become_a_stop_string_is_held_back_and_told_when_it_does_not() -> None:
    matcher = StopMatcher(["END", "\n\n"])
    assert [matcher.feed(piece) for piece in ("a\n", "b", " E", "N", "d")] == ["a", "\nb", " ", "", "ENd"]
    assert matcher.feed("x\n") + matcher.finish() == "x\n"


def test_nothing_is_told_after_a_stop_string() -> None:
    matcher = StopMatcher(["stop"])
    assert matcher.feed("one stop two") == "one "
    assert matcher.feed("three") == matcher.finish() == ""
