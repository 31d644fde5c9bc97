"""What a chat template gives away about its model."""

from typing import Any

import pytest

from sparkdesk.chat_format.chat_format import detect_chat_format
from sparkdesk.chat_format.reasoning import CHANNEL_TAGS, THINK_TAGS
from sparkdesk.chat_format.tool_calls.gemma4 import Gemma4Format
from sparkdesk.chat_format.tool_calls.hermes import HermesFormat

QWEN = "{% if tools %}<tool_call>{% endif %}{% if call.arguments is string %}{{ call.arguments }}{% endif %}<think>"
GEMMA = "{% for tool in tools %}<|tool>{% endfor %}<|tool_call>call:{{ message['tool_responses'] }}<|channel>thought"
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
MESSAGES: list[dict[str, Any]] = [
    {"role": "user", "content": "Do."},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": '{"b": 2}'},
    {"role": "tool", "tool_call_id": "lost", "content": "text"},
]


def test_qwen_thinks_in_tags_and_takes_messages_as_they_are() -> None:
    dialect = detect_chat_format(QWEN)
    assert dialect.reasoning_tags == THINK_TAGS and isinstance(dialect.call_format, HermesFormat)
    assert dialect.turns(MESSAGES) == MESSAGES, "arguments go back as they were written"


def test_a_template_that_turns_arguments_into_json_itself_gets_them_read() -> None:
    turns = detect_chat_format("{{ tools }}{{ call.arguments | tojson }}").turns(MESSAGES)
    assert turns[1]["tool_calls"][0]["function"]["arguments"] == {"a": 1}
    assert MESSAGES[1]["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'


def test_gemma_has_results_within_the_message_that_asked_for_them() -> None:
    dialect = detect_chat_format(GEMMA)
    assert dialect.reasoning_tags == CHANNEL_TAGS and isinstance(dialect.call_format, Gemma4Format)
    user, assistant = dialect.turns(MESSAGES)
    assert user == MESSAGES[0]
    assert assistant["tool_calls"][0]["function"]["arguments"] == {"a": 1}
    assert assistant["tool_responses"] == [
        {"name": "f", "response": {"b": 2}},
        {"name": "unknown", "response": "text"},
    ]


@pytest.mark.parametrize(
    "test", ["message['role'] == 'tool'", 'message.role == "tool"', "message.get('role') == 'tool'"]
)
def test_a_gemma_template_that_knows_the_tool_role_gets_it(test: str) -> None:
    turns = detect_chat_format(GEMMA + "{% if " + test + " %}{% endif %}").turns(MESSAGES)
    assert [turn["role"] for turn in turns] == ["user", "assistant", "tool", "tool"]


@pytest.mark.parametrize("template", [None, "", "{{ messages }}"])
def test_a_template_without_tools_has_no_calls(template: str | None) -> None:
    assert detect_chat_format(template).call_format is None


def test_gemma_is_told_of_tools_with_one_type_a_property() -> None:
    """Its template asks each property for its type; schemas made by pydantic often have alternatives instead."""
    properties = {
        "a": {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 1}], "description": "How many."},
        "b": {"type": ["string", "null"]},
        "c": {"type": "array", "items": {"oneOf": [{"type": "number"}]}},
        "d": {"type": "object", "properties": {"e": {}}},
        "f": True,
    }
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": properties}}}
    (told,) = detect_chat_format(GEMMA).tools([tool])
    assert told["function"]["parameters"]["properties"] == {
        "a": {"type": "integer", "minimum": 1, "description": "How many.", "nullable": True},
        "b": {"type": "string", "nullable": True},
        "c": {"type": "array", "items": {"type": "number"}},
        "d": {"type": "object", "properties": {"e": {"type": "string"}}},
        "f": {"type": "object"},
    }
    assert detect_chat_format(QWEN).tools([tool]) == [tool]
    bare = {"type": "function", "function": {"name": "g"}}
    assert detect_chat_format(GEMMA).tools([bare]) == [bare]
