"""Function calls in the text of replies: both formats, whole, in pieces, and malformed."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sparkdesk.chat_format.parts import ContentDelta, Part, ToolCallArguments, ToolCallStart, merge_deltas
from sparkdesk.chat_format.tool_calls.gemma4 import Gemma4Format
from sparkdesk.chat_format.tool_calls.gemma4_grammar import Gemma4Grammar
from sparkdesk.chat_format.tool_calls.hermes import HermesFormat
from sparkdesk.chat_format.tool_calls.parser import ToolCallParser
from sparkdesk.chat_format.tool_calls.protocol import ToolCallFormat
from tests.chat_format.test_stop_strings import cut

HERMES, GEMMA = HermesFormat(), Gemma4Format()
Found = tuple[str, list[tuple[str, object]]]


def find(form: ToolCallFormat, *pieces: str, is_constrained: bool = False, opened: str = "") -> list[Part]:
    finder = ToolCallParser(form, is_constrained=is_constrained, prefix=opened)
    parts = [part for piece in pieces for part in finder.feed(piece)]
    return merge_deltas([*parts, *finder.finish()])


def calls(parts: list[Part]) -> Found:
    """The text, and the calls with their arguments read."""
    names = {part.index: part.name for part in parts if isinstance(part, ToolCallStart)}
    arguments = dict.fromkeys(names, "")
    for part in parts:
        if isinstance(part, ToolCallArguments):
            arguments[part.index] += part.text
    text = "".join(part.text for part in parts if isinstance(part, ContentDelta))
    return text, [(names[index], json.loads(arguments[index])) for index in sorted(names)]


@pytest.mark.parametrize("is_constrained", [False, True])
def test_qwen_writes_calls_as_json_between_tags(is_constrained: bool) -> None:
    text = (
        'I look.\n<tool_call>\n{"name": "read", "arguments": {"path": "a.py"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    )
    assert calls(find(HERMES, text, is_constrained=is_constrained)) == (
        "I look.",
        [("read", {"path": "a.py"}), ("now", {})],
    )


def test_gemma_writes_calls_in_a_notation_of_its_own() -> None:
    text = (
        'I look.<|tool_call>call:edit{lines:[1,-2.5,true,null],path:<|"|>a "b" {c}, <tool_call|> é.py<|"|>,'
        "where:{at:3,deep:[{},[]]}}<tool_call|><|tool_call>call:a.b-c{}<tool_call|>"
    )
    expected = {
        "lines": [1, -2.5, True, None],
        "path": 'a "b" {c}, <tool_call|> é.py',
        "where": {"at": 3, "deep": [{}, []]},
    }
    assert calls(find(GEMMA, text)) == ("I look.", [("edit", expected), ("a.b-c", {})])


def test_a_constrained_call_is_told_while_it_comes() -> None:
    finder = ToolCallParser(HERMES, is_constrained=True)
    pieces = ['<tool_call>\n{"name": "write", "argu', 'ments": ', '{"text": "on', "ce upon", '"}', "}\n</tool_call>"]
    assert [finder.feed(piece) for piece in pieces] == [
        [],
        [],
        [ToolCallStart(0, "write"), ToolCallArguments(0, '{"text": "on')],
        [ToolCallArguments(0, "ce upon")],
        [ToolCallArguments(0, '"}')],
        [],
    ]
    assert finder.count == 1 and finder.finish() == []


def test_without_a_grammar_nothing_is_told_before_the_call_is_whole() -> None:
    """What has been told cannot be taken back, and a model may still spoil it."""
    finder = ToolCallParser(HERMES)
    assert finder.feed('<tool_call>\n{"name": "write", "arguments": {"text": "once"}') == []
    assert finder.feed("}") == [ToolCallStart(0, "write"), ToolCallArguments(0, '{"text": "once"}')]


def test_a_call_the_prompt_began_is_read_from_there() -> None:
    opened = '<tool_call>\n{"name": "read", "arguments": '
    assert calls(find(HERMES, '{"a"', ": 1}", is_constrained=True, opened=opened)) == ("", [("read", {"a": 1})])
    assert calls(find(GEMMA, "{a:1", "}", is_constrained=True, opened="<|tool_call>call:read")) == (
        "",
        [("read", {"a": 1})],
    )


MALFORMED = {
    HERMES: [
        "<tool_call>",
        "<tool_call>\n",
        "<tool_call>I would call it</tool_call>",
        '<tool_call>\n{"name": "f", "arguments": {"a": }}\n</tool_call>',
        '<tool_call>\n{"name": 3, "arguments": {}}\n</tool_call>',
        '<tool_call>\n{"arguments": {}}\n</tool_call>',
        '<tool_call>\n{"name": "f", "arguments": [1]}\n</tool_call>',
        '<tool_call>\n{"name": "f", "arguments": {"a": "b',
        "<tool_call>[1, 2]</tool_call>",
        "<tool_call>" + '{"a":' * 5000,
        '<tool_call>{"name": "f", "arguments": ' + "[" * 100_000,
    ],
    GEMMA: [
        "<|tool_call>",
        "<|tool_call>call:",
        "<|tool_call>call:f<tool_call|>",
        "<|tool_call>call:f{a}<tool_call|>",
        "<|tool_call>call:f{a:1<tool_call|>",
        '<|tool_call>call:f{a:<|"|>b}<tool_call|>',
        "<|tool_call>f{a:1}<tool_call|>",
        "<|tool_call>call:f{a:1}x<tool_call|>",
        "<|tool_call>call:f" + "{a:" * 5000 + "<tool_call|>",
        "<|tool_call>call:f{" + "a:[" * 5000,
    ],
}


@pytest.mark.parametrize(("form", "text"), [(form, text) for form, texts in MALFORMED.items() for text in texts])
def test_a_malformed_call_stays_text_to_the_letter(form: ToolCallFormat, text: str) -> None:
    assert find(form, f"Well. {text}") == [ContentDelta(f"Well. {text}")]


def test_a_call_after_a_malformed_one_is_found() -> None:
    text = '<tool_call>oh</tool_call> <tool_call>{"name": "f", "arguments": {}}</tool_call>'
    assert calls(find(HERMES, text)) == ("<tool_call>oh</tool_call>", [("f", {})])


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('{"name": "f"}', {}),
        ('{"name": "f", "arguments": null}', {}),
        ('{"name": "f", "arguments": "{\\"a\\": 1}"}', {"a": 1}),
        ('{"arguments": {"a": 1}, "name": "f"}', {"a": 1}),
        ('{"name": "f", "arguments": {"a": "two\nlines"}}', {"a": "two\nlines"}),
        ('{"name": "f", "arguments": {"a": "</tool_call>"}}', {"a": "</tool_call>"}),
        ('{"name": "f", "arguments": {"a": 1}}}', {"a": 1}),
    ],
)
def test_what_models_do_to_json_is_forgiven(text: str, arguments: object) -> None:
    for ending in ("</tool_call>", "\n</tool_call>\n", ""):
        assert calls(find(HERMES, f"<tool_call>\n{text}{ending}")) == ("", [("f", arguments)])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-999, 999) | st.text('ab"\\{}[]:,<>|\n é/', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=8,
)
CALLS = st.lists(
    st.tuples(
        st.sampled_from(["f", "read_file", "a.b-c"]), st.dictionaries(st.text("xyz", min_size=1), VALUES, max_size=3)
    ),
    max_size=3,
)
PLACES = st.lists(st.integers(0, 1000), max_size=30)


def as_gemma(value: object) -> str:
    match value:
        case None | bool() | int():
            return json.dumps(value)
        case str():
            return f'<|"|>{value}<|"|>'
        case list():
            return "[" + ",".join(map(as_gemma, value)) + "]"
        case dict():
            return "{" + ",".join(f"{key}:{as_gemma(each)}" for key, each in value.items()) + "}"
    raise AssertionError


@settings(max_examples=50)
@given(CALLS, PLACES, st.booleans())
def test_hermes_calls_come_back_however_they_are_split(
    wanted: list[tuple[str, dict[str, object]]], places: list[int], is_constrained: bool
) -> None:
    written = [json.dumps({"name": name, "arguments": arguments}) for name, arguments in wanted]
    text = "Hm.\n" + "\n".join(f"<tool_call>\n{call}\n</tool_call>" for call in written)
    found = find(HERMES, *cut(text, places), is_constrained=is_constrained)
    assert calls(found) == ("Hm." if wanted else "Hm.\n", wanted)


@settings(max_examples=50)
@given(CALLS, PLACES, st.booleans())
def test_gemma_calls_come_back_however_they_are_split(
    wanted: list[tuple[str, dict[str, object]]], places: list[int], is_constrained: bool
) -> None:
    if '<|"|>' in json.dumps(wanted, ensure_ascii=False).replace('\\"', '"'):
        return  # the notation has no way to say its own delimiter
    text = "".join(f"<|tool_call>call:{name}{as_gemma(arguments)}<tool_call|>" for name, arguments in wanted)
    assert calls(find(GEMMA, *cut(text, places), is_constrained=is_constrained)) == ("", wanted)


SCRAPS = st.lists(
    st.sampled_from(
        [
            "<tool_call>",
            "</tool_call>",
            "<|tool_call>",
            "<tool_call|>",
            '<|"|>',
            "call:f",
            '{"name": "f"',
            '"arguments": ',
            "{",
            "}",
            "[",
            "]",
            '"',
            ":",
            ",",
            "\\",
            "a",
            "1",
            " ",
            "\n",
            "<",
            '{"name": "f", "arguments": {',
        ]
    ),
    max_size=14,
)


@given(SCRAPS, PLACES, st.booleans())
@example(["<tool_call>", '{"name": "f", "arguments": {', "}", "}"], [5], True)
def test_any_split_of_any_text_gives_the_same_result(
    scraps: list[str], places: list[int], is_constrained: bool
) -> None:
    text = "".join(scraps)
    for form in (HERMES, GEMMA):
        whole = find(form, text, is_constrained=is_constrained)
        assert find(form, *cut(text, places), is_constrained=is_constrained) == whole
        assert find(form, *text, is_constrained=is_constrained) == whole


@given(SCRAPS)
def test_without_a_call_the_text_is_what_it_was(scraps: list[str]) -> None:
    text = "".join(scraps)
    for form in (HERMES, GEMMA):
        found = find(form, text)
        if not any(isinstance(part, ToolCallStart) for part in found):
            assert found == ([ContentDelta(text)] if text else [])


@given(SCRAPS)
def test_arguments_are_always_a_json_object(scraps: list[str]) -> None:
    for form in (HERMES, GEMMA):
        for _, arguments in calls(find(form, "".join(scraps)))[1]:
            assert isinstance(arguments, dict)


def test_gemmas_grammar_writes_what_the_reader_reads() -> None:
    """Keys in the template's order, commas only between pairs, delimiters where the notation has them."""
    schema = {
        "properties": {
            "b": {"type": "string"},
            "A": {"enum": ["x", 1]},
            "c": {"type": "array", "items": {"type": "null"}},
        },
        "required": ["b"],
    }
    grammar = Gemma4Grammar()
    text = grammar.text(grammar.arguments(schema))
    rules = dict(line.split(" ::= ") for line in text.splitlines() if line)
    assert rules["root"].startswith("r") and '"{"' in rules[rules["root"]]
    assert '"<|\\"|>x<|\\"|>" | "1"' in rules.values()
    first = rules[rules["root"]].split()[1]
    assert rules[first].startswith('"A:" '), "A comes before b, whatever its case"
    assert any(rule.startswith('"," "b:" string') for rule in rules.values()), "b behind A"
    assert any(rule.startswith('"b:" string') for rule in rules.values()), "b alone"
