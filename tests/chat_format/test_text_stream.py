"""Bytes in any portions become text that is whole at every moment and complete at the end."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkdesk.chat_format.text_stream import TextStream

MARKS = ("*", "_", "~", "`")
MARKUP_TEXT = st.text(alphabet="*_~` <>/thinkaé€😀\n")


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(at, len(data)) for at in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(st.one_of(st.text(), MARKUP_TEXT), st.lists(st.integers(0, 60)))
def test_increments_add_up_to_the_text(text: str, cuts: list[int]) -> None:
    """A character cut in two, or markup held back, must neither vanish nor come twice."""
    stream = TextStream()
    shown = [stream.feed(part) for part in cut(text.encode(), cuts)]
    assert "".join(shown) + stream.finish() == text


@given(st.binary(), st.lists(st.integers(0, 60)))
def test_bytes_that_are_no_text_become_the_same_signs_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    """A reply cut in mid-character, or a model gone wrong, is still shown."""
    stream = TextStream()
    shown = "".join(stream.feed(part) for part in cut(data, cuts)) + stream.finish()
    assert shown == data.decode("utf-8", "replace")


@given(st.text(alphabet="*_~` <>/think"), st.lists(st.integers(0, 60)))
def test_a_mark_is_shown_only_with_what_follows_it_known(text: str, cuts: list[int]) -> None:
    """`*` shown before its second `*` makes Markdown flicker."""
    stream = TextStream()
    received = shown = ""
    for part in cut(text.encode(), cuts):
        received += part.decode()
        shown += stream.feed(part)
        following = received[len(shown) :]
        assert not shown.endswith(MARKS) or (following and not following.startswith(MARKS))


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ([b"a", b"b"], ["a", "b"]),
        ([b"\xe2\x82", b"\xac"], ["", "€"]),
        ([b"so *", b"*bold*", b"* x"], ["so ", "**bold", "** x"]),
        ([b"``", b"`", b"py"], ["", "", "```py"]),
        ([b"a <", b"b"], ["a ", "<b"]),
        ([b"</thi", b"nk>", b"x"], ["", "</think>", "x"]),
        ([b"<think>"], ["<think>"]),
        ([b"x < y"], ["x < y"]),
    ],
)
def test_text_is_shown_as_soon_as_it_is_decided(parts: list[bytes], shown: list[str]) -> None:
    """Holding back more than that would make the reply lag."""
    stream = TextStream()
    assert [stream.feed(part) for part in parts] == shown


def test_what_is_still_undecided_comes_at_the_end() -> None:
    stream = TextStream()
    assert stream.feed(b"5 **") == "5 "
    assert stream.finish() == "**"
    assert stream.finish() == ""
