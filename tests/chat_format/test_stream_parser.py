"""Tokens become characters, thoughts, answers and calls, however they are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkdesk.chat_format.parts import (
    ContentDelta,
    Part,
    ReasoningDelta,
    ToolCallArguments,
    ToolCallStart,
    merge_deltas,
)
from sparkdesk.chat_format.reasoning import ReasoningParser
from sparkdesk.chat_format.stop_strings import StopMatcher
from sparkdesk.chat_format.stream_parser import StreamParser, TokenLogprob
from sparkdesk.chat_format.tool_calls.hermes import HermesFormat
from sparkdesk.chat_format.tool_calls.parser import ToolCallParser
from sparkdesk.engine.round import TokenLogprobs
from tests.chat_format.test_stop_strings import cut


def stream_parser(
    *stops: str, may_reason: bool = True, prefix: str = "", most_calls: int = 0, stops_in_reasoning: bool = False
) -> StreamParser:
    parser = StreamParser(
        StopMatcher(stops),
        ReasoningParser() if may_reason else None,
        ToolCallParser(HermesFormat()),
        most_calls,
        stops_in_reasoning,
    )
    parser.skip(prefix)
    return parser


def parse(text: bytes | str, stream_parser: StreamParser, places: list[int] | None = None) -> list[Part]:
    data = text.encode() if isinstance(text, str) else text
    borders = sorted({0, len(data), *(place % (len(data) + 1) for place in places or ())})
    parts: list[Part] = []
    for start, end in pairwise(borders):
        parts += stream_parser.take(data[start:end]).parts
        if stream_parser.is_over:
            break
    return merge_deltas([*parts, *stream_parser.finish().parts])


REPLY = (
    "<think>\nLet me see… 🦊\n</think>\n\nThe answer:\n"
    '<tool_call>\n{"name": "f", "arguments": {"a": "é"}}\n</tool_call>'
)


@given(st.lists(st.integers(0, 1000), max_size=40))
def test_a_reply_is_the_same_however_its_bytes_are_cut(places: list[int]) -> None:
    assert parse(REPLY, stream_parser(), places) == [
        ReasoningDelta("Let me see… 🦊"),
        ContentDelta("The answer:"),
        ToolCallStart(0, "f"),
        ToolCallArguments(0, '{"a": "é"}'),
    ]


SCRAPS = st.lists(st.sampled_from(["<think>", "</think>", "<", "a", " ", "\n", "é", "🦊", "think>", "/"]), max_size=12)


@given(SCRAPS, st.booleans(), st.lists(st.integers(0, 100), max_size=20))
def test_any_split_of_any_text_gives_the_same_parts(scraps: list[str], is_opened: bool, places: list[int]) -> None:
    text = "".join(scraps)
    whole = parse(text, stream_parser(prefix="<think>\n" * is_opened))
    assert parse(text, stream_parser(prefix="<think>\n" * is_opened), places) == whole


@pytest.mark.parametrize(
    ("text", "is_opened", "parts"),
    [
        ("<think>a</think>b", False, [ReasoningDelta("a"), ContentDelta("b")]),
        ("\n<think>\n\n</think>\n\nb", False, [ContentDelta("b")]),
        ("a</think>b", True, [ReasoningDelta("a"), ContentDelta("b")]),
        ("a <think>b</think>", False, [ContentDelta("a <think>b</think>")]),
        ("<think>cut off", False, [ReasoningDelta("cut off")]),
        ("<thin", False, [ContentDelta("<thin")]),
        ("<think>a</thin", False, [ReasoningDelta("a</thin")]),
        ("", False, []),
    ],
)
def test_only_what_a_reply_begins_with_is_a_thought(text: str, is_opened: bool, parts: list[Part]) -> None:
    assert parse(text, stream_parser(prefix="<think>\n" * is_opened)) == parts


def test_gemma_thinks_in_a_channel() -> None:
    assert parse("<|channel>thought\nHm.\n<channel|>Yes.", stream_parser()) == [
        ReasoningDelta("Hm."),
        ContentDelta("Yes."),
    ]


def test_a_stop_string_is_looked_for_in_reasoning_only_where_that_is_asked_for() -> None:
    """A model that only thinks of the word lost its answer."""
    text = "<think>one two</think>three two"
    assert parse(text, stream_parser("two")) == [ReasoningDelta("one two"), ContentDelta("three ")]
    assert parse(text, stream_parser("two", stops_in_reasoning=True)) == [ReasoningDelta("one")]
    assert parse("two", stream_parser("two", prefix="<think>\n")) == [ReasoningDelta("two")]


def test_a_stop_string_ends_calls_too() -> None:
    assert parse('x<tool_call>{"name": "f"', stream_parser('"f"')) == [ContentDelta('x<tool_call>{"name": ')]


@pytest.mark.parametrize("begun", ["", "a", "<think>a"])
def test_half_a_character_at_the_end_of_a_reply_that_was_cut_is_left_out(begun: str) -> None:
    parser = stream_parser()
    parts = [*parser.take(begun.encode()).parts, *parser.take("👨".encode()[:3]).parts]
    parts += parser.finish(is_cut=True).parts
    text = "".join(part.text for part in parts if isinstance(part, ContentDelta | ReasoningDelta))
    assert text == begun.removeprefix("<think>")


def test_half_a_character_that_the_model_ends_with_is_told_as_such() -> None:
    assert parse("é".encode()[:1], stream_parser()) == [ContentDelta("\N{REPLACEMENT CHARACTER}")]


def test_one_call_is_enough_where_more_are_not_wanted() -> None:
    call = '<tool_call>{"name": "f", "arguments": {}}</tool_call>'
    taking = stream_parser(most_calls=1)
    for letter in call + call:
        taking.take(letter.encode())
        if taking.is_over:
            break
    assert taking.is_over and taking.has_calls and taking.token_count == len(call) - len("</tool_call>")


def test_thinking_tokens_are_counted() -> None:
    thinking = stream_parser()
    for piece in ("<think>", "a", "b", "</think>", "c"):
        thinking.take(piece.encode())
    assert (thinking.token_count, thinking.reasoning_count) == (5, 3)


def test_probabilities_come_with_the_text_they_belong_to_and_not_behind_a_stop_string() -> None:
    taking = stream_parser("STOP", may_reason=False)
    logprobs = [TokenLogprob(piece.encode(), TokenLogprobs(-1.0), ()) for piece in ("a", "S", "T", "x", "STOP", "b")]
    told = [taking.take(logprob.piece, logprob).logprobs for logprob in logprobs[:4]]
    assert told == [(logprobs[0],), (), (), tuple(logprobs[1:4])]
    assert taking.take(logprobs[4].piece, logprobs[4]).logprobs == () and taking.is_over
    assert taking.finish().logprobs == ()


def test_cutting_covers_the_text() -> None:
    assert "".join(cut("abcdef", [3, 1, 9])) == "abcdef"
