"""OpenAI's own package as the client: chat, streams, tools, formats, errors; and an agent that edits a file."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from sparkdesk.engine.settings import GenerationSettings
from tests.reply_scripts import answering
from tests.server.served import MODEL, Served, served, server_engine

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
GEMMA_TEMPLATE = (
    "{% if tools %}{% for tool in tools %}<|tool>{{ tool.function.name }}<tool|>{% endfor %}{% endif %}"
    "{%- for message in messages %}<|turn>{{ message.role }}\n"
    "{%- for call in message.tool_calls or [] %}<|tool_call>call:{{ call.function.name }}"
    "{{ call.function.arguments.keys() | list }}<tool_call|>{% endfor %}"
    "{%- for result in message.tool_responses or [] %}<|tool_response>{{ result.name }}:{{ result.response }}"
    "<tool_response|>{% endfor %}{{ message.content }}{% endfor %}<|turn>model\n"
)


def tool(name: str, **properties: str) -> ChatCompletionToolParam:
    fields = {each: {"type": kind} for each, kind in properties.items()}
    parameters: dict[str, object] = {"type": "object", "properties": fields, "required": list(fields)}
    return {"type": "function", "function": {"name": name, "description": f"It can {name}.", "parameters": parameters}}


READ, EDIT = tool("read_file", path="string"), tool("edit_file", path="string", old="string", new="string")


def test_a_chat(openai: OpenAI) -> None:
    reply = openai.chat.completions.create(model="scripted", messages=ASK)
    assert reply.choices[0].message.content == "Hello, world."
    assert reply.usage is not None and reply.usage.completion_tokens == 13
    assert [model.id for model in openai.models.list()] == ["scripted", "other-name"]
    assert openai.completions.create(model="scripted", prompt="x", max_tokens=5).choices[0].text == "Hello"


def test_a_stream(openai: OpenAI) -> None:
    stream = openai.chat.completions.create(
        model="scripted", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello, world."
    assert chunks[-1].usage is not None and chunks[-1].usage.total_tokens > 13


def test_thoughts_come_apart_from_the_answer(server: Served, openai: OpenAI) -> None:
    server.engine.script = answering("<think>\nHm.\n</think>\n\nYes.")
    message = openai.chat.completions.create(model="scripted", messages=ASK).choices[0].message
    assert message.content == "Yes." and message.model_extra == {"reasoning_content": "Hm."}


def test_errors_are_those_the_package_knows(openai: OpenAI) -> None:
    with pytest.raises(openai_error("NotFoundError"), match="There is no model"):
        openai.chat.completions.create(model="gpt-9", messages=ASK)
    with pytest.raises(openai_error("BadRequestError"), match="temperature must be"):
        openai.chat.completions.create(model="scripted", messages=ASK, temperature=-1)


def openai_error(name: str) -> type[Exception]:
    found = getattr(openai, name)
    assert isinstance(found, type) and issubclass(found, Exception)
    return found


def calling(prompt: str, settings: GenerationSettings) -> str:
    return (
        'I look.\n<tool_call>\n{"name": "read_file", "arguments": {"path": "a.py"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "read_file", "arguments": {"path": "b.py"}}\n</tool_call>'
    )


def test_calls_come_whole(server: Served, openai: OpenAI) -> None:
    server.engine.script = answering(calling)
    choice = openai.chat.completions.create(model="scripted", messages=ASK, tools=[READ]).choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.content == "I look."
    calls = choice.message.tool_calls or []
    assert [json.loads(call.function.arguments) for call in calls if call.type == "function"] == [
        {"path": "a.py"},
        {"path": "b.py"},
    ]
    assert len({call.id for call in calls}) == 2
    assert '"name": "read_file"' in server.engine.texts[-1], "the template tells the model of its tools"


def test_calls_come_as_a_name_and_then_arguments_piece_by_piece(server: Served, openai: OpenAI) -> None:
    server.engine.script = answering(calling)
    stream = openai.chat.completions.create(model="scripted", messages=ASK, tools=[READ], stream=True)
    deltas = [call for chunk in stream for call in chunk.choices[0].delta.tool_calls or []]
    first = [delta for delta in deltas if delta.index == 0]
    assert first[0].id and first[0].function and first[0].function.name == "read_file"
    assert all(delta.id is None and delta.function and delta.function.name is None for delta in first[1:])
    pieces = [delta.function.arguments or "" for delta in first if delta.function]
    assert json.loads("".join(pieces)) == {"path": "a.py"} and len(pieces) > 3


def test_a_grammar_guides_calls_from_their_tag_on_and_is_done_without_where_it_cannot_be_made(
    server: Served, openai: OpenAI
) -> None:
    server.engine.script = answering(calling)
    openai.chat.completions.create(model="scripted", messages=ASK, tools=[READ])
    grammar = server.engine.settings[-1].grammar
    assert grammar is not None and grammar.triggers == ("<tool_call>\n",)
    assert json.loads(grammar.json_schema)["properties"]["name"] == {"const": "read_file"}
    server.engine.knows_grammars = False
    choice = openai.chat.completions.create(model="scripted", messages=ASK, tools=[READ]).choices[0]
    assert len(choice.message.tool_calls or []) == 2 and server.engine.settings[-1].grammar is None


def test_a_call_that_must_be_made_is_begun_in_the_prompt(server: Served, openai: OpenAI) -> None:
    server.engine.script = answering('{"path": "c.py"}')
    choice = openai.chat.completions.create(
        model="scripted",
        messages=ASK,
        tools=[READ, EDIT],
        tool_choice={"type": "function", "function": {"name": "read_file"}},
    ).choices[0]
    assert server.engine.texts[-1].endswith('<tool_call>\n{"name": "read_file", "arguments": ')
    call = (choice.message.tool_calls or [])[0]
    assert call.type == "function" and call.function.name == "read_file"
    assert json.loads(call.function.arguments) == {"path": "c.py"} and choice.finish_reason == "tool_calls"

    server.engine.script = answering('{"name": "edit_file", "arguments": {}}')
    choice = openai.chat.completions.create(
        model="scripted", messages=ASK, tools=[READ, EDIT], tool_choice="required"
    ).choices[0]
    call = (choice.message.tool_calls or [])[0]
    assert call.type == "function" and call.function.name == "edit_file"
    grammar = server.engine.settings[-1].grammar
    assert grammar is not None and grammar.triggers == () and len(json.loads(grammar.json_schema)["anyOf"]) == 2

    server.engine.knows_grammars = False
    with pytest.raises(openai_error("BadRequestError"), match="grammar cannot be used"):
        openai.chat.completions.create(model="scripted", messages=ASK, tools=[READ], tool_choice="required")


def test_one_call_is_made_where_parallel_ones_are_not_wanted(server: Served, openai: OpenAI) -> None:
    server.engine.script = answering(calling)
    choice = openai.chat.completions.create(
        model="scripted", messages=ASK, tools=[READ], parallel_tool_calls=False
    ).choices[0]
    assert len(choice.message.tool_calls or []) == 1 and choice.finish_reason == "tool_calls"


def test_without_tools_or_with_none_wanted_calls_are_text(server: Served, openai: OpenAI) -> None:
    server.engine.script = answering(calling)
    plain = openai.chat.completions.create(model="scripted", messages=ASK).choices[0].message
    unwanted = openai.chat.completions.create(model="scripted", messages=ASK, tools=[READ], tool_choice="none")
    for message in (plain, unwanted.choices[0].message):
        assert message.content == calling("", GenerationSettings()) and message.tool_calls is None


def test_a_schema_reaches_the_engine_as_its_grammar(server: Served, openai: OpenAI) -> None:
    schema: dict[str, object] = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    server.engine.script = answering('{"a": 1}')
    reply = openai.chat.completions.create(
        model="scripted",
        messages=ASK,
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
    )
    assert json.loads(reply.choices[0].message.content or "") == {"a": 1}
    grammar = server.engine.settings[-1].grammar
    assert grammar is not None and json.loads(grammar.json_schema) == schema


def test_a_model_whose_template_knows_no_tools_says_so(server: Served, openai: OpenAI) -> None:
    server.engine.model = replace(MODEL, chat_template="{{ messages[-1].content }}")
    with pytest.raises(openai_error("BadRequestError"), match="no place for tools"):
        openai.chat.completions.create(model="scripted", messages=ASK, tools=[READ])


def test_a_template_that_refuses_a_conversation_is_not_our_fault(server: Served, openai: OpenAI) -> None:
    server.engine.model = replace(MODEL, chat_template="{{ raise_exception('Only one message, please') }}")
    with pytest.raises(openai_error("BadRequestError"), match="Only one message, please"):
        openai.chat.completions.create(model="scripted", messages=ASK)


# An agent: the model is a script, everything between it and the file is real.


def hermes(name: str, **arguments: str) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def gemma(name: str, **arguments: str) -> str:
    said = ",".join(f'{key}:<|"|>{value}<|"|>' for key, value in arguments.items())
    return f"<|tool_call>call:{name}{{{said}}}<tool_call|>"


def mending(call: Callable[..., str]) -> Callable[[str, GenerationSettings], str]:
    """Reads the file, mends what it finds there, and is content."""

    def say(prompt: str, settings: GenerationSettings) -> str:
        if "mended" in prompt:
            return "I have corrected the sum."
        if "return a - b" in prompt:
            return "There it is.\n" + call("edit_file", path="add.py", old="a - b", new='a + b  # "sum"')
        return call("read_file", path="add.py")

    return say


@pytest.fixture(params=["hermes", "gemma"])
def agent_server(request: pytest.FixtureRequest) -> Iterator[Served]:
    model = MODEL if request.param == "hermes" else replace(MODEL, chat_template=GEMMA_TEMPLATE)
    engine = server_engine(mending(hermes if request.param == "hermes" else gemma), model=model)
    with served(engine) as server:
        yield server


@pytest.mark.parametrize("is_streamed", [False, True])
def test_an_agent_edits_a_file(agent_server: Served, tmp_path: Path, is_streamed: bool) -> None:
    (tmp_path / "add.py").write_text("def add(a, b):\n    return a - b\n")
    client = OpenAI(base_url=f"{agent_server.url}/v1", api_key="none", timeout=30, max_retries=0)
    messages: list[Any] = [{"role": "user", "content": "Mend add.py."}]
    for _ in range(5):
        reply = _streamed(client, messages) if is_streamed else _whole(client, messages)
        messages.append(reply)
        if not reply.get("tool_calls"):
            break
        for call in reply["tool_calls"]:
            result = _use(tmp_path, call["function"]["name"], json.loads(call["function"]["arguments"]))
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
    client.close()
    assert messages[-1]["content"] == "I have corrected the sum."
    assert (tmp_path / "add.py").read_text() == 'def add(a, b):\n    return a + b  # "sum"\n'
    assert len(agent_server.engine.prompts) == 3


def _use(folder: Path, name: str, arguments: dict[str, str]) -> str:
    file = folder / arguments["path"]
    if name == "read_file":
        return file.read_text()
    file.write_text(file.read_text().replace(arguments["old"], arguments["new"]))
    return "mended"


def _whole(client: OpenAI, messages: list[Any]) -> dict[str, Any]:
    reply = client.chat.completions.create(model="scripted", messages=messages, tools=[READ, EDIT])
    return reply.choices[0].message.model_dump(exclude_none=True)


def _streamed(client: OpenAI, messages: list[Any]) -> dict[str, Any]:
    content = ""
    calls: dict[int, dict[str, Any]] = {}
    for chunk in client.chat.completions.create(model="scripted", messages=messages, tools=[READ, EDIT], stream=True):
        delta = chunk.choices[0].delta
        content += delta.content or ""
        for piece in delta.tool_calls or []:
            assert piece.function is not None
            call = calls.setdefault(
                piece.index,
                {"id": piece.id, "type": "function", "function": {"name": piece.function.name, "arguments": ""}},
            )
            call["function"]["arguments"] += piece.function.arguments or ""
    reply: dict[str, Any] = {"role": "assistant", "content": content}
    return {**reply, "tool_calls": list(calls.values())} if calls else reply
