"""Reasoning apart from answers, in every form in which templates have models write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkdesk.chat_format.parts import ContentDelta, Part, ReasoningDelta, merge_deltas
from sparkdesk.chat_format.reasoning import ALL_TAGS, ReasoningParser, split_reply


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("", "", ""),
        ("just an answer", "", "just an answer"),
        ("<think>\nhm\n</think>\n\nyes", "hm", "yes"),
        ("\n<think>hm</think>yes", "hm", "yes"),
        ("<think>\n\n</think>\n\nyes", "", "yes"),
        ("<think>still at it", "still at it", ""),
        ("write <think> in the text", "", "write <think> in the text"),
        ("the tag </think> ends it", "", "the tag </think> ends it"),
        ("<think>a</think>b</think>c", "a", "b</think>c"),
        ("<|channel>thought\nhm\n<channel|>yes", "hm", "yes"),
        ("<|channel>thought\n<channel|>yes", "", "yes"),
        ("<|channel>thought\na </think> b<channel|>c", "a </think> b", "c"),
        ("<think>a <channel|> b</think>c", "a <channel|> b", "c"),
        ("the <|channel>thought of it", "", "the <|channel>thought of it"),
    ],
)
def test_reasoning_and_answer_are_told_apart(text: str, reasoning: str, answer: str) -> None:
    """Reasoning shown as an answer, as Gemma's once was, or an answer that mentions the tag lost as reasoning."""
    parts = split_reply(text)
    assert (parts.reasoning, parts.answer) == (reasoning, answer)


SCRAPS = [tag for tags in ALL_TAGS for tag in (tags.opening, tags.closing)] + ["a", " ", "\n", "<", "<|chan", "é"]


@given(st.lists(st.sampled_from(SCRAPS), max_size=12), st.lists(st.integers(1, 9), max_size=40))
def test_a_reply_has_the_same_parts_while_it_comes_in_and_afterwards(scraps: list[str], sizes: list[int]) -> None:
    """The screen and the exports split whole texts, the API and the command line streams."""
    text, parser, parts = "".join(scraps), ReasoningParser(), list[Part]()
    at = 0
    for size in [*sizes, len(text)]:
        parts += parser.feed(text[at : at + size])
        at += size
    whole, found = split_reply(text), merge_deltas([*parts, *parser.finish()])
    assert "".join(part.text for part in found if isinstance(part, ReasoningDelta)) == whole.reasoning
    assert "".join(part.text for part in found if isinstance(part, ContentDelta)) == whole.answer


@pytest.mark.parametrize(("text", "is_open"), [("<think>a", True), ("<|channel>thought", True), ("a", False)])
def test_it_is_known_whether_reasoning_is_still_open(text: str, is_open: bool) -> None:
    assert split_reply(text).is_reasoning == is_open
