"""Spark Tiny behind the API: what grammars, probabilities and calls become with a real engine."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import httpx
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import LoadSettings
from sparkdesk.runner.client import EngineClient
from sparkdesk.server.requests.models import RequestDefaults
from tests.server.served import listening
from tests.server.test_openai_client import GEMMA_TEMPLATE, READ

pytestmark = pytest.mark.native

HERMES_TEMPLATE = (
    "{% if tools %}{{ tools | tojson }}{% endif %}{%- for message in messages -%}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}{%- endfor -%}"
    "{{- '<|im_start|>assistant\\n' -}}"
)
CHAT = "/v1/chat/completions"
SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer"}, "kind": {"enum": ["big", "small"]}},
    "required": ["count", "kind"],
    "additionalProperties": False,
}
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
STAND = {"type": "function", "function": {"name": "stand", "parameters": NOTHING}}
TURN: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "turn",
        "parameters": {
            "type": "object",
            "properties": {
                "way": {"type": "string", "enum": ["left", "right"]},
                "by": {"anyOf": [{"const": 90}, {"enum": ["half"]}]},
                "is_fast": {"type": "boolean"},
                "speed": {"type": "null"},
                "at": {"type": "object", "properties": {"x": {"enum": [1, 2]}, "y": {"enum": [1]}}},
            },
            "required": ["way", "by", "is_fast", "at"],
        },
    },
}


class OtherTemplate(EngineClient):
    """Says of the loaded model that it has another template."""

    template: str | None = None

    @property
    def model(self) -> ModelInfo | None:
        model = super().model
        return model if model is None or self.template is None else replace(model, chat_template=self.template)


@pytest.fixture(scope="module")
def engine(tiny_pair: SyntheticPair) -> Iterator[OtherTemplate]:
    with OtherTemplate() as engine:
        list(engine.load(LoadSettings(str(tiny_pair.target), str(tiny_pair.draft), context_tokens=1024, threads=1)))
        yield engine


@pytest.fixture
def http(engine: OtherTemplate) -> Iterator[httpx.Client]:
    engine.template = None
    assert engine.model is not None
    defaults = RequestDefaults(names=("tiny",), block_size=7, vocabulary_size=engine.model.vocabulary_size)
    with listening(engine, reload=lambda: None, defaults=defaults) as server:
        with httpx.Client(base_url=server.url, timeout=120) as client:
            yield client


def ask(**more: Any) -> dict[str, Any]:
    message = {"role": "user", "content": "Count from 1 to 5."}
    return {"messages": [message], "temperature": 0, "max_tokens": 200, **more}


def post(http: httpx.Client, **more: Any) -> dict[str, Any]:
    reply = http.post(CHAT, json=ask(**more))
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


@pytest.mark.parametrize("temperature", [0, 1])
def test_a_schema_is_kept_to(http: httpx.Client, temperature: float) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "it", "schema": SCHEMA}}
    body = post(http, response_format=form, temperature=temperature, seed=1)
    choice = body["choices"][0]
    assert choice["finish_reason"] == "stop"
    found = json.loads(choice["message"]["content"])
    assert found.keys() == {"count", "kind"} and found["kind"] in ("big", "small") and isinstance(found["count"], int)


class Shape(BaseModel):
    kind: Literal["round", "square"]
    is_big: bool


class Drawing(BaseModel):
    best: Shape
    other: Shape | None


def test_openais_package_reads_a_reply_into_a_class(http: httpx.Client) -> None:
    """Its schemas are pydantic's, with references and all."""
    client = OpenAI(base_url=f"{http.base_url}/v1", api_key="none", timeout=120, max_retries=0)
    ask: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Count from 1 to 5."}]
    reply = client.chat.completions.parse(model="tiny", messages=ask, response_format=Drawing, temperature=0)
    client.close()
    assert isinstance(reply.choices[0].message.parsed, Drawing)


def test_a_json_object_is_an_object(http: httpx.Client) -> None:
    choice = post(http, response_format={"type": "json_object"}, max_tokens=60)["choices"][0]
    assert choice["message"]["content"].lstrip().startswith("{")


def test_llama_cpps_own_grammars_are_taken_too(http: httpx.Client) -> None:
    choice = post(http, grammar='root ::= "yes" | "no"')["choices"][0]
    assert choice["message"]["content"] in ("yes", "no") and choice["finish_reason"] == "stop"
    refused = http.post(CHAT, json=ask(grammar="root ::= nothing"))
    assert refused.status_code == 400 and refused.json()["error"]["param"] == "grammar"


def test_a_schema_that_cannot_be_used_is_the_clients_to_mend(http: httpx.Client) -> None:
    for schema in ({"type": "strange"}, {"$ref": "#/nowhere"}, {"type": "object", "properties": 3}):
        form = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
        reply = http.post(CHAT, json=ask(response_format=form))
        assert reply.status_code == 400 and reply.json()["error"]["param"] == "response_format", reply.text
    assert http.get("/health").json()["status"] == "ok"


@pytest.mark.parametrize("template", [HERMES_TEMPLATE, GEMMA_TEMPLATE])
@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "turn"}}])
def test_a_call_that_must_be_made_is_made_in_the_models_own_form(
    engine: OtherTemplate, http: httpx.Client, template: str, choice: Any
) -> None:
    engine.template = template
    made = post(http, tools=[STAND, TURN], tool_choice=choice, temperature=1)["choices"][0]
    assert made["finish_reason"] == "tool_calls" and made["message"]["content"] is None
    (call,) = made["message"]["tool_calls"]
    arguments = json.loads(call["function"]["arguments"])
    if choice == "required" and call["function"]["name"] == "stand":
        assert arguments == {}
        return
    assert call["function"]["name"] == "turn" and arguments.keys() - {"speed"} == {"at", "by", "is_fast", "way"}
    assert arguments["way"] in ("left", "right") and arguments["by"] in (90, "half")
    assert isinstance(arguments["is_fast"], bool) and arguments["at"].keys() <= {"x", "y"}


def test_tools_a_model_need_not_use_leave_its_answer_alone(engine: OtherTemplate, http: httpx.Client) -> None:
    engine.template = HERMES_TEMPLATE
    choice = post(http, tools=[READ], max_tokens=10)["choices"][0]
    assert choice["message"]["content"] and "tool_calls" not in choice["message"]


def test_a_tool_whose_schema_makes_no_grammar_is_offered_all_the_same(
    engine: OtherTemplate, http: httpx.Client
) -> None:
    engine.template = HERMES_TEMPLATE
    strange = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": 3}}}}
    assert post(http, tools=[strange], max_tokens=10)["choices"][0]["message"]["content"]


def test_a_prompt_longer_than_the_context_is_refused_before_its_turn(http: httpx.Client) -> None:
    reply = http.post("/v1/completions", json={"prompt": "1, 2, 3, " * 500})
    assert reply.status_code == 400 and reply.json()["error"]["code"] == "context_length_exceeded"


def test_what_was_read_before_is_not_read_again(http: httpx.Client) -> None:
    first = post(http)
    assert post(http)["usage"]["prompt_tokens_details"]["cached_tokens"] > 10
    assert first["usage"]["prompt_tokens"] > 10


def test_two_clients_in_turn_do_not_read_their_conversations_again(http: httpx.Client) -> None:
    """Their prompts share hardly a token: each is put aside while the other one is answered."""
    words = {name: f"{name} " * 120 for name in ("One", "Two")}
    cached = []
    for _ in range(2):
        for text in words.values():
            message = {"role": "user", "content": f"{text} Count from 1 to 5."}
            body = http.post(CHAT, json={"messages": [message], "temperature": 0, "max_tokens": 5}).json()
            cached.append(body["usage"]["prompt_tokens_details"]["cached_tokens"] / body["usage"]["prompt_tokens"])
    assert max(cached[:2]) < 0.2 and min(cached[2:]) > 0.9, cached
