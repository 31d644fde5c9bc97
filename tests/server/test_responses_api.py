"""OpenAI's own package as the client of /v1/responses: replies, streams, tools, formats, conversations, errors."""

import json
from dataclasses import replace
from typing import Any

import httpx
import openai as openai_package
import pytest
from openai import OpenAI
from openai.types.responses import FunctionToolParam
from pydantic import BaseModel

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import GenerationSettings
from sparkdesk.server.responses.response_store import ResponseStore, StoredResponse
from tests.reply_scripts import answering
from tests.scripted_engine import ScriptedEngine
from tests.server.served import MODEL, TEMPLATE, Served

RESPONSES = "/v1/responses"
READ: FunctionToolParam = {
    "type": "function",
    "name": "read_file",
    "description": "Reads a file.",
    "parameters": {
        "type": "object",
        "properties": {"path": {"type": "string"}},
        "required": ["path"],
        "additionalProperties": False,
    },
    "strict": True,
}


class Sum(BaseModel):
    a: int
    total: int


def calling(prompt: str, settings: GenerationSettings) -> str:
    return (
        "<think>\nWhere is it?\n</think>\n\nI look.\n"
        '<tool_call>\n{"name": "read_file", "arguments": {"path": "a.py"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "read_file", "arguments": {"path": "b.py"}}\n</tool_call>'
    )


def test_a_response(server: Served, openai: OpenAI) -> None:
    openai.responses.create(model="scripted", instructions="Be brief.", input="Hi")
    server.engine.cache = server.engine.prompts[-1][:7]
    response = openai.responses.create(model="scripted", instructions="Be brief.", input="Hi", temperature=0.5)
    assert response.output_text == "Hello, world." and response.status == "completed" and response.temperature == 0.5
    assert server.engine.texts[-1] == "<|system|>Be brief.<|user|>Hi<|assistant|>"
    usage = response.usage
    assert usage is not None and usage.output_tokens == 13 and usage.input_tokens == len(server.engine.texts[-1])
    assert usage.input_tokens_details.cached_tokens == 7


def test_a_stream(openai: OpenAI) -> None:
    with openai.responses.stream(model="scripted", input="Hi") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert final.output_text == "Hello, world."
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "Hello, world."
    assert events[0].type == "response.created" and events[-1].type == "response.completed"


def test_a_streams_events_are_numbered_named_and_ordered(server: Served, http: httpx.Client) -> None:
    server.engine.script = answering(calling)
    events = events_of(http.post(RESPONSES, json={"input": "Hi", "tools": [READ], "stream": True}))
    assert [data["sequence_number"] for _, data in events] == list(range(len(events)))
    assert all(name == data["type"] for name, data in events)
    names = [name.removeprefix("response.") for name, _ in events if not name.endswith(".delta")]
    call = ["output_item.added", "function_call_arguments.done", "output_item.done"]
    assert names == [
        *("created", "in_progress"),
        *("output_item.added", "content_part.added", "reasoning_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.done", "content_part.done", "output_item.done"),
        *call,
        *call,
        "completed",
    ]
    done = [data["item"] for name, data in events if name == "response.output_item.done"]
    assert done == events[-1][1]["response"]["output"]
    assert [item["type"] for item in done] == ["reasoning", "message", "function_call", "function_call"]


def events_of(response: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    assert response.headers["content-type"].startswith("text/event-stream"), response.text
    events = []
    for block in response.text.strip().split("\n\n"):
        name, data = block.split("\n")
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return events


@pytest.mark.parametrize("is_streamed", [False, True])
def test_calls(server: Served, openai: OpenAI, is_streamed: bool) -> None:
    server.engine.script = answering(calling)
    if is_streamed:
        with openai.responses.stream(model="scripted", input="Hi", tools=[READ]) as stream:
            output: list[Any] = list(stream.get_final_response().output)
    else:
        output = list(openai.responses.create(model="scripted", input="Hi", tools=[READ]).output)
    calls = [item for item in output if item.type == "function_call"]
    assert [json.loads(call.arguments) for call in calls] == [{"path": "a.py"}, {"path": "b.py"}]
    assert len({call.call_id for call in calls}) == 2
    assert output[0].type == "reasoning" and output[0].content[0].text == "Where is it?"


def test_a_call_that_must_be_made(server: Served, openai: OpenAI) -> None:
    server.engine.script = answering('{"path": "c.py"}')
    response = openai.responses.create(
        model="scripted", input="Hi", tools=[READ], tool_choice={"type": "function", "name": "read_file"}
    )
    (call,) = response.output
    assert call.type == "function_call" and json.loads(call.arguments) == {"path": "c.py"}
    one = openai.responses.create(
        model="scripted", input="Hi", tools=[READ], tool_choice="required", parallel_tool_calls=False
    )
    assert server.engine.texts[-1].endswith("<tool_call>\n") and one.parallel_tool_calls is False


def test_a_parsed_response(server: Served, openai: OpenAI) -> None:
    server.engine.script = answering('{"a": 1, "total": 3}')
    response = openai.responses.parse(model="scripted", input="Add.", text_format=Sum)
    assert response.output_parsed == Sum(a=1, total=3)
    grammar = server.engine.settings[-1].grammar
    assert grammar is not None and set(json.loads(grammar.json_schema)["required"]) == {"a", "total"}


def test_items_become_turns(server: Served, openai: OpenAI) -> None:
    items: Any = [
        {"role": "developer", "content": "Be brief."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Look."}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]},
        {"type": "message", "role": "assistant", "id": "m", "content": [{"type": "output_text", "text": "I look."}]},
        {"type": "function_call", "call_id": "c1", "name": "read_file", "arguments": '{"path": "a"}'},
        {"type": "function_call", "call_id": "c2", "name": "read_file", "arguments": '{"path": "b"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "a = 1"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "b = 2"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "So."}]},
        {"role": "assistant", "content": "Three."},
        {"role": "assistant", "content": "Yes, three."},
        {"role": "user", "content": "Sure?"},
    ]
    openai.responses.create(model="scripted", input=items, tools=[READ])
    assert server.engine.texts[-1].partition("</tools>")[2] == (
        "<|system|>Be brief.<|user|>Look.<|assistant|>I look."
        '<tool_call>read_file {"path": "a"}</tool_call><tool_call>read_file {"path": "b"}</tool_call>'
        "<|tool|>a = 1<|tool|>b = 2<|assistant|>Three.<|assistant|>Yes, three.<|user|>Sure?<|assistant|>"
    )


def test_a_conversation_is_gone_on_with_by_its_last_response(server: Served, openai: OpenAI) -> None:
    server.engine.script = answering(calling)
    first = openai.responses.create(model="scripted", instructions="Be brief.", input="Look.", tools=[READ])
    calls = [item for item in first.output if item.type == "function_call"]
    server.engine.script = answering("Done.")
    results: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "x"} for call in calls]
    openai.responses.create(model="scripted", previous_response_id=first.id, input=results)
    assert server.engine.texts[-1] == (
        "<|user|>Look.<|assistant|>I look."
        '<tool_call>read_file {"path": "a.py"}</tool_call><tool_call>read_file {"path": "b.py"}</tool_call>'
        "<|tool|>x<|tool|>x<|assistant|>"
    ), "instructions hold for one request"
    assert openai.responses.retrieve(first.id).output == first.output
    openai.responses.delete(first.id)
    with pytest.raises(openai_package.NotFoundError):
        openai.responses.retrieve(first.id)
    with pytest.raises(openai_package.NotFoundError, match="send the conversation as input"):
        openai.responses.create(model="scripted", previous_response_id=first.id, input="Hi")
    unkept = openai.responses.create(model="scripted", input="Hi", store=False)
    with pytest.raises(openai_package.NotFoundError):
        openai.responses.create(model="scripted", previous_response_id=unkept.id, input="Hi")


def test_a_streamed_response_is_kept_too(server: Served, openai: OpenAI) -> None:
    with openai.responses.stream(model="scripted", input="Hi") as stream:
        first = stream.get_final_response()
    openai.responses.create(model="scripted", previous_response_id=first.id, input="And?")
    assert server.engine.texts[-1] == "<|user|>Hi<|assistant|>Hello, world.<|user|>And?<|assistant|>"


def test_what_is_kept_has_bounds() -> None:
    store = ResponseStore(most_bytes=10_000, most_responses=3)
    for number in range(5):
        store.put(str(number), StoredResponse({"id": str(number)}, ({"role": "user", "content": "x" * 1000},)))
    assert len(store) == 3 and store.get("1") is None and store.get("2") is not None
    store.put("wide", StoredResponse({}, ({"role": "user", "content": "ä" * 1000},)))
    assert store.get("2") is not None and store.get("3") is None, "the one used last stays"
    store.put("too large", StoredResponse({}, ({"role": "user", "content": "x" * 20_000},)))
    assert store.get("too large") is None and len(store) == 3 and store.size_bytes <= 10_000
    for name in ("2", "4", "wide"):
        assert store.delete(name) and not store.delete(name)
    assert store.size_bytes == 0


def test_a_reply_that_was_cut_is_incomplete(openai: OpenAI) -> None:
    response = openai.responses.create(model="scripted", input="Hi", max_output_tokens=5)
    assert response.status == "incomplete" and response.output_text == "Hello"
    assert response.incomplete_details is not None and response.incomplete_details.reason == "max_output_tokens"
    with openai.responses.stream(model="scripted", input="Hi", max_output_tokens=5) as stream:
        assert list(stream)[-1].type == "response.incomplete"


def test_an_engine_that_dies_in_mid_stream_fails_the_response(server: Served, http: httpx.Client) -> None:
    server.engine.dies_at = "world"
    name, data = events_of(http.post(RESPONSES, json={"input": "Hi", "stream": True}))[-1]
    assert name == "response.failed" and data["response"]["error"]["code"] == "server_error"
    assert data["response"]["status"] == "failed"


def test_thinking_is_asked_for_by_effort(server: Served, http: httpx.Client) -> None:
    server.engine.model = thinking_model()
    for effort, is_thinking in (("high", True), ("none", False), ("minimal", False), ("low", True), (None, False)):
        http.post(RESPONSES, json={"input": "Hi", "reasoning": {"effort": effort}}).raise_for_status()
        assert server.engine.texts[-1].startswith(f"{is_thinking}") is True


def thinking_model() -> ModelInfo:
    return replace(MODEL, chat_template="{{ enable_thinking }}" + TEMPLATE)


def test_hosted_tools_are_left_out_and_named(server: Served, http: httpx.Client) -> None:
    tools = [{"type": "web_search"}, READ, {"type": "custom", "name": "x"}]
    body = {"input": "Hi", "tools": tools, "include": ["reasoning.encrypted_content"], "text": {"verbosity": "low"}}
    response = http.post(RESPONSES, json=body)
    assert response.headers["x-ignored-fields"] == "include; text.verbosity; tools[0]; tools[2]"
    assert [tool["name"] for tool in response.json()["tools"]] == ["read_file"]
    assert "web_search" not in server.engine.texts[-1]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].type"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
        ({"input": [{"type": "computer_call"}]}, "input[0].type"),
        ({"input": [{"type": "function_call", "name": "x"}]}, "input[0].call_id"),
        ({"input": "x", "background": True}, "background"),
        ({"input": "x", "conversation": "c"}, "conversation"),
        ({"input": "x", "reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"input": "x", "text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"input": "x", "tools": [{"name": "f"}]}, "tools[0].type"),
        ({"input": "x", "tool_choice": "required"}, "tool_choice"),
        ({"input": "x", "max_output_tokens": 0}, "max_output_tokens"),
        ({"input": "x", "tools": [READ], "text": {"format": {"type": "json_object"}}}, "text.format"),
    ],
)
def test_bad_requests_name_the_field(http: httpx.Client, body: dict[str, Any], param: str) -> None:
    response = http.post(RESPONSES, json=body)
    assert response.status_code == 400 and response.json()["error"]["param"] == param
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_comments_on_the_reading_of_the_prompt_do_not_disturb_the_package(server: Served, openai: OpenAI) -> None:
    server.engine.prefill_step = 5
    with openai.responses.stream(model="scripted", input="Hi, how are you?") as stream:
        assert stream.get_final_response().output_text == "Hello, world."
    chunks = openai.chat.completions.create(
        model="scripted", messages=[{"role": "user", "content": "Hi, how are you?"}], stream=True
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello, world."


def test_nothing_of_what_was_said_is_logged(server: Served, http: httpx.Client, engine: ScriptedEngine) -> None:
    engine.script = answering("a secret answer")
    http.post(RESPONSES, json={"input": "secret", "instructions": "secret"})
    server.until_logged(RESPONSES)
    assert not any("secret" in line for line in server.log)
