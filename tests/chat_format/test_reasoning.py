"""Thoughts apart from answers, in every form in which templates have models write them."""

import pytest

from sparkdesk.chat_format.thinking import split_thinking


@pytest.mark.parametrize(
    ("text", "thinking", "answer"),
    [
        ("", "", ""),
        ("just an answer", "", "just an answer"),
        ("<think>\nhm\n</think>\n\nyes", "hm", "yes"),
        ("\n<think>hm</think>yes", "hm", "yes"),
        ("<think>\n\n</think>\n\nyes", "", "yes"),
        ("hm\n</think>\n\nyes", "hm", "yes"),
        ("<think>still at it", "still at it", ""),
        ("write <think> in the text", "", "write <think> in the text"),
        ("<think>a</think>b</think>c", "a", "b</think>c"),
    ],
)
def test_thoughts_and_answer_are_told_apart(text: str, thinking: str, answer: str) -> None:
    """A thought shown as an answer, or an answer that mentions the tag lost as a thought."""
    assert split_thinking(text) == (thinking, answer)
