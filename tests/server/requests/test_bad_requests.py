"""Whatever is sent, the answer is one of ours: never a 500, never a stack, never silence."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparkdesk.engine.settings import GenerationSettings
from sparkdesk.errors import EngineError
from tests.server.served import Served, served, server_engine

PATHS = st.sampled_from(
    ["/v1/chat/completions", "/v1/completions", "/v1/messages", "/v1/messages/count_tokens", "/v1/responses"]
)
OFTEN = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Served, httpx.Client]]:
    engine = server_engine("Hello.", round_tokens=10)
    with served(engine) as server, httpx.Client(base_url=server.url, timeout=30) as client:
        yield server, client


def check(response: httpx.Response) -> None:
    assert response.status_code in (200, 400, 404), response.text
    if response.status_code != 200:
        error = response.json()["error"]
        assert error["message"].endswith((".", "!")) and error["type"] in ("invalid_request_error", "not_found_error")
    elif response.headers["content-type"].startswith("text/event-stream"):
        last = response.text.rstrip().rpartition("\n\n")[2]
        assert last.startswith(("data: [DONE]", "event: message_stop\n", "event: response.completed\n"))
    else:
        told = response.json()
        usage = told.get("usage", told)
        assert usage.get("completion_tokens") or usage.get("output_tokens") or usage["input_tokens"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
FIELDS = (
    "model messages prompt temperature top_p top_k min_p presence_penalty frequency_penalty repeat_penalty seed "
    "max_tokens max_completion_tokens stop n best_of stream stream_options logprobs top_logprobs response_format tools "
    "tool_choice parallel_tool_calls chat_template_kwargs speculative draft_length user logit_bias "
    "echo suffix functions system thinking stop_sequences metadata output_config input instructions max_output_tokens "
    "reasoning text store previous_response_id truncation background"
).split()
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
PLAIN: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    1.5,
    "",
    "a",
    "auto",
    "none",
    "required",
    [],
    {},
    ["a"],
    [1],
    10**30,
    [TOOL],
]
OBJECTS = [{"type": "text"}, {"type": "json_object"}, {"type": "function"}, {"include_usage": True}]
NEAR = st.sampled_from([*PLAIN, *OBJECTS, {"enable_thinking": True}])
TEXT = st.text(max_size=10) | st.lists(
    st.fixed_dictionaries({"type": st.sampled_from(["text", "image_url", "refusal", ""])}, optional={"text": JSON}),
    max_size=3,
)
BLOCKS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from("text tool_use tool_result thinking input_text output_text document image".split())},
        optional={
            "text": JSON,
            "content": TEXT | JSON,
            "thinking": JSON,
            "name": JSON,
            "id": JSON,
            "input": JSON,
            "tool_use_id": st.text(max_size=3) | JSON,
            "is_error": JSON,
            "source": JSON,
        },
    ),
    max_size=3,
)
ITEMS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from("message reasoning function_call function_call_output item_reference".split()),
            "role": st.sampled_from(["user", "assistant", "developer", "tool"]),
            "content": BLOCKS | TEXT | JSON,
            "summary": BLOCKS | JSON,
            "output": BLOCKS | JSON,
            "name": JSON,
            "arguments": JSON,
            "call_id": st.text(max_size=3) | JSON,
        },
    ),
    max_size=4,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "developer", "tool", "function"])},
        optional={
            "content": TEXT | BLOCKS | JSON,
            "name": JSON,
            "tool_call_id": JSON,
            "reasoning_content": JSON,
            "tool_calls": JSON
            | st.lists(
                st.fixed_dictionaries(
                    {"function": st.fixed_dictionaries({"name": st.text(max_size=5)}, optional={"arguments": JSON})},
                    optional={"id": JSON},
                ),
                max_size=3,
            ),
        },
    ),
    max_size=4,
)


@OFTEN
@given(PATHS, JSON)
def test_any_json(running: tuple[Served, httpx.Client], path: str, body: Any) -> None:
    check(running[1].post(path, content=json.dumps(body)))


@OFTEN
@given(PATHS, st.dictionaries(st.sampled_from(FIELDS), NEAR | JSON, max_size=6), MESSAGES, ITEMS)
def test_any_values_of_the_fields_we_know(
    running: tuple[Served, httpx.Client], path: str, fields: dict[str, Any], messages: list[Any], items: list[Any]
) -> None:
    said = [{"role": "user", "content": "Hi"}]
    body = {"messages": messages or said, "prompt": "Hi", "input": items or "Hi", "max_tokens": 9, **fields}
    check(running[1].post(path, content=json.dumps(body)))


@OFTEN
@given(PATHS, st.binary(max_size=200))
def test_any_bytes(running: tuple[Served, httpx.Client], path: str, body: bytes) -> None:
    response = running[1].post(path, content=body)
    assert response.status_code in (200, 400), response.text


@OFTEN
@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE"]),
    st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126, exclude_characters="?#\\"), max_size=30),
)
def test_any_path_with_any_method(running: tuple[Served, httpx.Client], method: str, path: str) -> None:
    response = running[1].request(method, httpx.URL(running[0].url, path=f"/{path}"))
    assert response.status_code < 500, response.text


def test_after_all_that_the_server_is_well(running: tuple[Served, httpx.Client]) -> None:
    server, client = running
    assert client.get("/health").json() == {
        "status": "ok",
        "model": "scripted",
        "running": 0,
        "waiting": 0,
        "engine_reloads": 0,
    }
    assert not any("should not have happened" in line for line in server.log)


@pytest.mark.parametrize(
    "form",
    [
        {"grammar": 'root ::= "a"'},
        {"response_format": {"type": "json_object"}},
        {"tools": [TOOL], "tool_choice": "required"},
        {},
    ],
)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_fault_of_ours_is_a_500_whatever_form_was_asked_for(form: dict[str, Any], is_streamed: bool) -> None:
    """With a grammar it was once told to the client as its own mistake."""

    def fail(prompt: str, settings: GenerationSettings) -> str:
        raise EngineError("The engine failed unexpectedly (ValueError: cannot reshape).")

    with served(server_engine(fail)) as server, httpx.Client(base_url=server.url, timeout=30) as client:
        body = {"messages": [{"role": "user", "content": "Hi"}], "stream": is_streamed, **form}
        response = client.post("/v1/chat/completions", json=body)
    assert response.status_code == 500 and response.json()["error"]["type"] == "server_error"
