"""Anthropic's own package as the client: messages, streams, tools, thoughts, formats, counts, errors."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest
from anthropic import Anthropic
from anthropic.types import MessageParam, ToolParam

from sparkdesk.engine.settings import GenerationSettings
from sparkdesk.server.web.security import Policy
from tests.reply_scripts import answering
from tests.scripted_engine import ScriptedEngine
from tests.server.served import Served, served

ASK: list[MessageParam] = [{"role": "user", "content": "Hi"}]
READ: ToolParam = {
    "name": "read_file",
    "description": "Reads a file.",
    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
}
MESSAGES = "/v1/messages"


@pytest.fixture
def claude(server: Served) -> Iterator[Anthropic]:
    with Anthropic(base_url=server.url, api_key="none", timeout=30, max_retries=0) as client:
        yield client


def calling(prompt: str, settings: GenerationSettings) -> str:
    return (
        "<think>\nWhere is it?\n</think>\n\nI look.\n"
        '<tool_call>\n{"name": "read_file", "arguments": {"path": "a.py"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "read_file", "arguments": {"path": "b.py"}}\n</tool_call>'
    )


def test_a_message(claude: Anthropic) -> None:
    message = claude.messages.create(model="scripted", max_tokens=100, system="Be brief.", messages=ASK)
    assert message.role == "assistant" and message.stop_reason == "end_turn" and message.id.startswith("msg_")
    assert [block.text for block in message.content if block.type == "text"] == ["Hello, world."]
    assert message.usage.output_tokens == 13 and message.usage.cache_read_input_tokens == 0
    assert message.usage.input_tokens > 2


def test_what_was_cached_is_counted_apart(server: Served, claude: Anthropic) -> None:
    claude.messages.create(model="scripted", max_tokens=100, messages=ASK)
    begun = server.engine.prompts[-1][:7]
    server.engine.cache = begun
    message = claude.messages.create(model="scripted", max_tokens=100, messages=ASK)
    count = claude.messages.count_tokens(model="scripted", messages=ASK).input_tokens
    assert message.usage.cache_read_input_tokens == 7 and message.usage.input_tokens == count - 7
    server.engine.cache = begun
    with claude.messages.stream(model="scripted", max_tokens=100, messages=ASK) as stream:
        start = next(event for event in stream if event.type == "message_start")
        final = stream.get_final_message()
    assert start.message.usage.cache_read_input_tokens == final.usage.cache_read_input_tokens == 7


def test_thoughts_text_and_calls_are_blocks(server: Served, claude: Anthropic) -> None:
    server.engine.script = answering(calling)
    message = claude.messages.create(
        model="scripted",
        max_tokens=500,
        messages=ASK,
        tools=[READ],
        thinking={"type": "enabled", "budget_tokens": 1024},
    )
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert [block.input for block in message.content if block.type == "tool_use"] == [
        {"path": "a.py"},
        {"path": "b.py"},
    ]
    assert message.stop_reason == "tool_use"
    assert len({block.id for block in message.content if block.type == "tool_use"}) == 2


def test_a_stream_comes_to_the_same_message(server: Served, claude: Anthropic) -> None:
    server.engine.script = answering(calling)
    with claude.messages.stream(model="scripted", max_tokens=500, messages=ASK, tools=[READ]) as stream:
        message = stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert [block.thinking for block in message.content if block.type == "thinking"] == ["Where is it?"]
    assert [block.input for block in message.content if block.type == "tool_use"][1] == {"path": "b.py"}
    assert message.stop_reason == "tool_use" and message.usage.output_tokens > 20


def test_a_streams_events_have_names_and_an_order(server: Served, http: httpx.Client) -> None:
    server.engine.script = answering(calling)
    body = {"model": "scripted", "max_tokens": 500, "messages": ASK, "tools": [READ], "stream": True}
    events = events_of(http.post(MESSAGES, json=body))
    names = [name for name, _ in events]
    assert all(name == data["type"] for name, data in events)
    assert names[:2] == ["message_start", "ping"] and names[-2:] == ["message_delta", "message_stop"]
    inner = [name for name in names[2:-2] if name != "content_block_delta"]
    assert inner == ["content_block_start", "content_block_stop"] * 4
    kinds = [data["delta"]["type"] for name, data in events if name == "content_block_delta"]
    assert list(dict.fromkeys(kinds)) == ["thinking_delta", "text_delta", "input_json_delta"]


def events_of(response: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    assert response.headers["content-type"].startswith("text/event-stream"), response.text
    events = []
    for block in response.text.strip().split("\n\n"):
        name, data = block.split("\n")
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return events


def test_why_it_stopped(server: Served, claude: Anthropic) -> None:
    short = claude.messages.create(model="scripted", max_tokens=5, messages=ASK)
    assert short.stop_reason == "max_tokens" and short.stop_sequence is None
    stopped = claude.messages.create(model="scripted", max_tokens=50, messages=ASK, stop_sequences=["zzz", ", w"])
    assert stopped.stop_reason == "stop_sequence" and stopped.stop_sequence == ", w"
    assert [block.text for block in stopped.content if block.type == "text"] == ["Hello"]


def test_a_call_that_was_cut_is_no_block_of_a_whole_message(server: Served, claude: Anthropic) -> None:
    server.engine.script = answering(calling)
    message = claude.messages.create(model="scripted", max_tokens=100, messages=ASK, tools=[READ])
    assert message.stop_reason == "max_tokens"
    assert [block.type for block in message.content] == ["thinking", "text"]


@pytest.mark.parametrize(("choice", "suffix"), [("any", "<tool_call>\n"), ("tool", '"read_file", "arguments": ')])
def test_a_call_that_must_be_made(server: Served, claude: Anthropic, choice: str, suffix: str) -> None:
    arguments = '{"path": "c.py"}'
    whole = f'{{"name": "read_file", "arguments": {arguments}}}'
    server.engine.script = answering(whole if choice == "any" else arguments)
    asked: Any = {
        "type": choice,
        "disable_parallel_tool_use": True,
        **({"name": "read_file"} if choice == "tool" else {}),
    }
    message = claude.messages.create(model="scripted", max_tokens=99, messages=ASK, tools=[READ], tool_choice=asked)
    assert server.engine.texts[-1].endswith(suffix)
    assert [block.input for block in message.content if block.type == "tool_use"] == [{"path": "c.py"}]


def test_blocks_become_turns(server: Served, claude: Anthropic) -> None:
    messages: Any = [
        {"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "text", "text": "at it."}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": ""},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "read_file", "input": {"path": "a.py"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "a = 1"}]},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no such file", "is_error": True},
                {"type": "text", "text": "And now?"},
            ],
        },
    ]
    system: Any = [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=1; cch=abc;"},
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}},
    ]
    claude.messages.create(model="scripted", max_tokens=10, system=system, messages=messages, tools=[READ])
    assert server.engine.texts[-1].partition("</tools>")[2] == (
        "<|system|>Be brief.<|user|>Look\n\nat it.<|assistant|>I look."
        '<tool_call>read_file {"path": "a.py"}</tool_call>'
        "<|tool|>a = 1<|tool|>Error: no such file<|user|>And now?<|assistant|>"
    )


def test_a_reply_that_is_begun_is_gone_on_with(server: Served, claude: Anthropic) -> None:
    claude.messages.create(
        model="scripted", max_tokens=9, messages=[*ASK, {"role": "assistant", "content": "Well, hel"}]
    )
    assert server.engine.texts[-1].endswith("<|assistant|>Well, hel")


def test_a_schema_reaches_the_engine_as_its_grammar(server: Served, claude: Anthropic) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    form: Any = {"format": {"type": "json_schema", "schema": schema}}
    claude.messages.create(model="scripted", max_tokens=9, messages=ASK, output_config=form)
    grammar = server.engine.settings[-1].grammar
    assert grammar is not None and json.loads(grammar.json_schema) == schema


def test_counts_are_those_of_the_prompt_even_of_one_too_long(server: Served, claude: Anthropic) -> None:
    assert server.engine.model is not None
    few = claude.messages.count_tokens(model="scripted", messages=ASK, system="Be brief.", tools=[READ])
    claude.messages.create(model="scripted", max_tokens=1, messages=ASK, system="Be brief.", tools=[READ])
    assert few.input_tokens == len(server.engine.prompts[-1])
    long: list[MessageParam] = [{"role": "user", "content": "x" * 300_000}]
    assert claude.messages.count_tokens(model="scripted", messages=long).input_tokens > 300_000
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
        claude.messages.create(model="scripted", max_tokens=1, messages=long)


def test_errors_have_anthropics_form(http: httpx.Client, claude: Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="There is no model"):
        claude.messages.create(model="claude-9", max_tokens=1, messages=ASK)
    for body, said in (
        ({"messages": ASK}, "max_tokens is missing."),
        ({"max_tokens": 1}, "messages must have at least one message."),
        ({"max_tokens": 1, "messages": [{"role": "system", "content": ""}]}, "that says something"),
        ({"max_tokens": 1, "messages": [{"role": "tool", "content": ""}]}, "messages[0].role must be"),
        ({"max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "image"}]}]}, "no images"),
        ({"max_tokens": 1, "messages": ASK, "tools": [{"type": "web_search_20250305"}]}, "Anthropic's own"),
        ({"max_tokens": 1, "messages": ASK, "tool_choice": {"type": "any"}}, "there are no tools"),
        ({"max_tokens": 1, "messages": ASK, "thinking": {"type": "maybe"}}, "thinking.type must be"),
        ({"max_tokens": 1, "messages": ASK, "stop_sequences": ["x"] * 65}, "no more than 64"),
    ):
        response = http.post(MESSAGES, json=body)
        assert response.status_code == 400 and response.json()["type"] == "error"
        error = response.json()["error"]
        assert error["type"] == "invalid_request_error" and said in error["message"]
    assert http.post(MESSAGES, content=b"{").json()["error"]["type"] == "invalid_request_error"
    assert http.post(f"{MESSAGES}/batches").json()["error"]["type"] == "not_found_error"
    assert http.get(MESSAGES).json()["type"] == "error"


def test_an_engine_that_dies_in_mid_stream_is_an_error_event(server: Served, http: httpx.Client) -> None:
    server.engine.dies_at = "world"
    events = events_of(http.post(MESSAGES, json={"max_tokens": 99, "messages": ASK, "stream": True}))
    assert events[-1][0] == "error" and events[-1][1]["error"]["type"] == "overloaded_error"


def test_either_header_has_the_key(engine: ScriptedEngine) -> None:
    with served(engine, policy=Policy(api_key="k")) as server, httpx.Client(base_url=server.url) as http:
        body = {"max_tokens": 9, "messages": ASK}
        for headers, status in (
            ({"x-api-key": "k"}, 200),
            ({"authorization": "Bearer k"}, 200),
            ({"x-api-key": "wrong"}, 401),
            ({"x-api-key": ""}, 401),
            ({"x-api-key": "wrong", "authorization": "Bearer k"}, 200),
        ):
            assert http.post(MESSAGES, json=body, headers=headers).status_code == status
        refused = http.post(MESSAGES, json=body)
        assert refused.json()["error"]["type"] == "authentication_error"


def test_fields_that_change_nothing_are_named(http: httpx.Client) -> None:
    body = {"max_tokens": 9, "messages": ASK, "mood\r\nx-evil": "good", "service_tier": "auto", "metadata": {}}
    for stream in (False, True):
        response = http.post(MESSAGES, json={**body, "output_config": {"effort": "low"}, "stream": stream})
        assert response.headers["x-ignored-fields"] == "mood??x-evil; service_tier; output_config.effort"
        assert "x-evil" not in response.headers
    chat = http.post("/v1/chat/completions", json={"messages": ASK, "top_kk": 1, "store": None})
    assert chat.headers["x-ignored-fields"] == "top_kk"
    plain = http.post("/v1/chat/completions", json={"messages": ASK, "temperature": 0, "model": "scripted"})
    assert "x-ignored-fields" not in plain.headers


def test_the_reading_of_a_long_prompt_is_told_as_it_goes(server: Served, http: httpx.Client) -> None:
    server.engine.prefill_step = 5
    body = {"max_tokens": 9, "messages": ASK, "stream": True}
    text = http.post(MESSAGES, json=body).text
    assert ": prompt 5/" in text and text.index(": prompt 5/") < text.index("content_block_start")
    chat = http.post("/v1/chat/completions", json={**body, "return_progress": True}).text
    first = next(json.loads(line[6:]) for line in chat.split("\n\n") if "prompt_progress" in line)
    assert first["prompt_progress"]["processed"] == 5 and first["prompt_progress"]["total"] > 5


def test_comments_on_the_reading_of_the_prompt_do_not_disturb_the_package(server: Served, claude: Anthropic) -> None:
    server.engine.prefill_step = 5
    with claude.messages.stream(model="scripted", max_tokens=99, messages=ASK) as stream:
        assert stream.get_final_text() == "Hello, world."


def test_nothing_of_what_was_said_is_logged(server: Served, http: httpx.Client) -> None:
    server.engine.script = answering("a secret answer")
    http.post(
        MESSAGES, json={"max_tokens": 99, "system": "secret", "messages": [{"role": "user", "content": "secret"}]}
    )
    server.until_logged(MESSAGES)
    assert not any("secret" in line for line in server.log)
