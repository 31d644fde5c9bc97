"""Characters and the tokens they came from, however the bytes are cut and the text is held back."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sparkdesk.chat.attribution import Attribution
from sparkdesk.chat.trace import BONUS, DRAFTED, PLAIN
from sparkdesk.engine.round import Round


def test_a_character_belongs_to_the_token_that_completed_it() -> None:
    attribution = Attribution()
    euro = "€".encode()
    done = Round((1, 2, 3), (True, True, False), verified=3, accepted=2, source="draft", confidences=(0.9, 0.8))
    attribution.add([b"a" + euro[:1], euro[1:], b"b"], done)
    first, second, third = attribution.take(3)
    assert (first.length, first.source, first.position, first.confidence) == (1, DRAFTED, 1, 0.9)
    assert (second.length, second.source, second.position) == (1, DRAFTED, 2)
    assert (third.source, third.position) == (BONUS, 0)


def test_what_is_shown_later_keeps_its_origin() -> None:
    attribution = Attribution()
    attribution.add([b"ab**"], Round((1,), (False,)))
    attribution.add([b"cd"], Round((1, 2), (True, False), verified=1, accepted=1, source="context"))
    assert [(each.length, each.source) for each in attribution.take(2)] == [(2, PLAIN)]
    assert [(each.length, each.source) for each in attribution.take(4)] == [(2, PLAIN), (2, "context")]


@given(text=st.text(max_size=60), cuts=st.lists(st.integers(0, 240), max_size=20), takes=st.lists(st.integers(0, 9)))
def test_every_character_has_one_origin(text: str, cuts: list[int], takes: list[int]) -> None:
    data = text.encode("utf-8", "ignore")
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    attribution = Attribution()
    for begin, end in itertools.pairwise(edges):
        attribution.add([data[begin:end]], Round((1,), (False,)))
    left = len(data.decode())
    for count in [*takes, left]:
        count = min(count, left)
        left -= count
        assert sum(each.length for each in attribution.take(count)) == count
