"""Repeated text: the longest match wins, and nothing is proposed that did not follow."""

from hypothesis import given
from hypothesis import strategies as st

from sparkdesk.engine.scheduling.prompt_lookup import KEY_TOKENS, PromptLookupIndex


def test_what_followed_the_same_words_is_proposed() -> None:
    found = PromptLookupIndex([1, 2, 3, 4, 5, 6, 7, 9, 1, 2, 3]).find(3)
    assert found is not None and found.tokens == (4, 5, 6) and found.match == 3


def test_the_longest_match_wins_and_of_equals_the_latest() -> None:
    found = PromptLookupIndex([7, 1, 2, 3, 50, 8, 1, 2, 3, 60, 7, 1, 2, 3]).find(1)
    assert found is not None and found.tokens == (50,) and found.match == 4
    found = PromptLookupIndex([1, 2, 3, 50, 9, 1, 2, 3, 60, 9, 8, 1, 2, 3]).find(1)
    assert found is not None and found.tokens == (60,)


def test_text_without_repetition_proposes_nothing() -> None:
    assert PromptLookupIndex(list(range(100))).find(5) is None
    assert PromptLookupIndex([1, 2]).find(5) is None
    assert PromptLookupIndex([1, 2, 3, 1, 2, 3]).find(0) is None


def test_the_index_follows_a_text_that_grows() -> None:
    tokens = [1, 2, 3]
    index = PromptLookupIndex(tokens)
    assert index.find(4) is None
    tokens.extend([4, 5, 1, 2, 3])
    found = index.find(4)
    assert found is not None and found.tokens == (4, 5, 1, 2)


def test_long_matches_are_trusted_more() -> None:
    tokens = list(range(40)) * 2
    index = PromptLookupIndex(tokens[:60])
    found = index.find(15)
    assert found is not None and found.match == 20
    assert found.logits()[0] > 1 and (found.logits()[1:] > found.logits()[:-1]).all()


@given(st.lists(st.integers(0, 3), max_size=80), st.integers(1, 15))
def test_a_proposal_stands_in_the_text_after_its_match(tokens: list[int], most: int) -> None:
    found = PromptLookupIndex(tokens).find(most)
    places = [
        place for place in range(KEY_TOKENS, len(tokens)) if tokens[place - KEY_TOKENS : place] == tokens[-KEY_TOKENS:]
    ]
    if found is None:
        assert not places
        return
    assert 1 <= len(found.tokens) <= most and found.match >= KEY_TOKENS
    assert any(
        tuple(tokens[place : place + most]) == found.tokens
        and tokens[place - found.match : place] == tokens[len(tokens) - found.match :]
        for place in places
    )
