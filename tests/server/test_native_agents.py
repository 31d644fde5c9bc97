"""Spark Tiny behind the APIs for agents, with their own clients: calls under a grammar, caches, counts, pieces."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from anthropic import Anthropic
from openai import OpenAI

from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import LoadSettings
from sparkdesk.runner.client import EngineClient
from sparkdesk.server.requests.models import RequestDefaults
from tests.server.served import Listening, listening
from tests.server.test_native import HERMES_TEMPLATE

pytestmark = pytest.mark.native

COUNT: Any = [{"role": "user", "content": "Count from 1 to 5."}]
WAY = {"type": "object", "properties": {"way": {"enum": ["left", "right"]}}, "required": ["way"]}


class ToolEngine(EngineClient):
    """Its template has a place for tools."""

    @property
    def model(self) -> ModelInfo | None:
        model = super().model
        return model if model is None else replace(model, chat_template=HERMES_TEMPLATE)


@pytest.fixture(scope="module")
def server(tiny_pair: SyntheticPair) -> Iterator[Listening]:
    with ToolEngine() as engine:
        list(engine.load(LoadSettings(str(tiny_pair.target), str(tiny_pair.draft), context_tokens=1024, threads=1)))
        assert engine.model is not None
        defaults = RequestDefaults(names=("tiny",), block_size=7, vocabulary_size=engine.model.vocabulary_size)
        with listening(engine, reload=lambda: None, defaults=defaults) as server:
            yield server


def test_anthropics_client(server: Listening) -> None:
    with Anthropic(base_url=server.url, api_key="none", timeout=120, max_retries=0) as client:
        first = client.messages.create(model="tiny", max_tokens=60, messages=COUNT, extra_body={"temperature": 0})
        (block,) = first.content
        assert block.type == "text" and block.text == "1, 2, 3, 4, 5" and first.stop_reason == "end_turn"
        usage = first.usage
        count = client.messages.count_tokens(model="tiny", messages=COUNT).input_tokens
        assert usage.input_tokens + (usage.cache_read_input_tokens or 0) == count
        more: Any = [*COUNT, {"role": "assistant", "content": block.text}, *COUNT]
        with client.messages.stream(model="tiny", max_tokens=60, messages=more) as stream:
            second = stream.get_final_message()
        assert (second.usage.cache_read_input_tokens or 0) > count
        tools: Any = [{"name": "turn", "input_schema": WAY}]
        call = client.messages.create(
            model="tiny", max_tokens=100, messages=COUNT, tools=tools, tool_choice={"type": "any"}
        )
        (use,) = call.content
        assert use.type == "tool_use" and use.input in ({"way": "left"}, {"way": "right"})


def test_openais_client(server: Listening) -> None:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", timeout=120, max_retries=0) as client:
        first = client.responses.create(model="tiny", input="Count from 1 to 5.", temperature=0)
        assert first.output_text == "1, 2, 3, 4, 5"
        with client.responses.stream(
            model="tiny", input="Count from 1 to 5.", previous_response_id=first.id, temperature=0
        ) as stream:
            second = stream.get_final_response()
        assert second.usage is not None and second.usage.input_tokens_details.cached_tokens > 10
        tools: Any = [{"type": "function", "name": "turn", "parameters": WAY, "strict": True}]
        called = client.responses.create(model="tiny", input="Turn.", tools=tools, tool_choice="required")
        (call,) = called.output
        assert call.type == "function_call" and json.loads(call.arguments)["way"] in ("left", "right")


@pytest.mark.parametrize("text", ["Count from 1 to 5.", "Grüße 👩‍🚀 <|im_end|>\n\n  x", ""])
def test_text_becomes_tokens_and_text_again(server: Listening, text: str) -> None:
    told = httpx.post(f"{server.url}/tokenize", json={"content": text, "with_pieces": True}).json()["tokens"]
    tokens = [each["id"] for each in told]
    assert httpx.post(f"{server.url}/detokenize", json={"tokens": tokens}).json()["content"] == text
    pieces = [each["piece"].encode() if isinstance(each["piece"], str) else bytes(each["piece"]) for each in told]
    assert b"".join(pieces).decode() == text
