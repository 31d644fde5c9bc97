"""The raw wire, byte for byte where it matters: events, errors, headers, figures."""

import json
from typing import Any

import httpx
import pytest

from sparkdesk.engine.settings import SamplingSettings
from sparkdesk.server.requests.chat import read_chat_request
from sparkdesk.server.requests.models import RequestDefaults
from tests.scripted_engine import ScriptedEngine
from tests.server.served import Served

ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}]}


def events(response: httpx.Response) -> list[Any]:
    lines = [line for line in response.text.split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines) and lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def error(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert body.keys() == {"error"} and body["error"].keys() == {"message", "type", "param", "code"}
    found: dict[str, Any] = body["error"]
    return found


def test_a_reply_has_text_usage_timings_and_acceptance(http: httpx.Client) -> None:
    body = http.post("/v1/chat/completions", json=ASK).json()
    assert body["object"] == "chat.completion" and body["model"] == "scripted" and body["id"].startswith("chatcmpl-")
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello, world."},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert body["usage"]["completion_tokens"] == 13
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + 13
    timings = body["timings"]
    assert (timings["predicted_n"], timings["draft_n"], timings["draft_n_accepted"]) == (13, 6, 6)
    assert timings["predicted_per_second"] == pytest.approx(1e3 * 12 / 5, rel=0.01)
    # "Hel" came with the prompt, then four rounds of 3, 3, 3 and 1: the last had nothing drafted.
    assert body["metrics"]["speculative_decoding"] == {
        "mean_acceptance_length": 3.0,
        "draft_acceptance_rate": 1.0,
        "acceptance_histogram": [0, 0, 3],
        "num_spec_steps": 3,
        "num_draft_tokens": 6,
        "num_accepted_draft_tokens": 6,
    }


def test_a_stream_is_one_role_then_text_then_the_reason_then_done(http: httpx.Client) -> None:
    response = http.post("/v1/chat/completions", json={**ASK, "stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    chunks = events(response)
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""} and deltas[-1] == {}
    assert "".join(delta["content"] for delta in deltas[:-1]) == "Hello, world."
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert chunks[-1]["timings"]["predicted_n"] == 13 and "usage" not in chunks[-1]


def test_usage_comes_in_a_chunk_without_choices_when_it_is_asked_for(http: httpx.Client) -> None:
    ask = {**ASK, "stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = events(http.post("/v1/chat/completions", json=ask))
    assert all(chunk["usage"] is None for chunk in chunks)
    assert last["choices"] == [] and last["usage"]["completion_tokens"] == 13 and last["timings"]["predicted_n"] == 13


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_every_chunk_says_how_far_the_reply_is_where_that_is_asked_for(http: httpx.Client, path: str) -> None:
    """As llama-server does: a chunk of text alone does not tell how many tokens it holds."""
    ask = {"stream": True, "timings_per_token": True}
    prompt = {"messages": ASK["messages"]} if "chat" in path else {"prompt": "Say"}
    told = [each["timings"] for each in events(http.post(path, json={**ask, **prompt})) if "timings" in each]
    counts = [each["predicted_n"] for each in told]
    assert len(counts) > 3 and counts == sorted(counts) and counts[0] == 3
    assert told[1]["draft_n"] == 2 and told[1]["predicted_ms"] > 0
    assert not any("timings" in each for each in events(http.post(path, json={"stream": True, **prompt}))[:-1])


def test_text_is_continued_too(http: httpx.Client, engine: ScriptedEngine) -> None:
    body = http.post("/v1/completions", json={"prompt": "Say", "max_tokens": 5}).json()
    assert body["object"] == "text_completion"
    assert body["choices"] == [{"index": 0, "text": "Hello", "logprobs": None, "finish_reason": "length"}]
    chunks = events(http.post("/v1/completions", json={"prompt": [72, 105], "stream": True}))
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == "Hello, world."
    assert engine.texts == ["Say", "Hi"]


def test_a_stop_string_ends_the_reply_and_is_not_part_of_it(http: httpx.Client) -> None:
    body = http.post("/v1/chat/completions", json={**ASK, "stop": ["o, w", "never"]}).json()
    assert body["choices"][0]["message"]["content"] == "Hell"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["completion_tokens"] == len("Hello, w")


def test_probabilities_are_told_token_by_token(http: httpx.Client) -> None:
    ask = {**ASK, "logprobs": True, "top_logprobs": 2, "max_tokens": 2}
    whole = http.post("/v1/chat/completions", json=ask).json()["choices"][0]["logprobs"]["content"]
    token = {"token": "H", "logprob": -0.5, "bytes": [72]}
    assert whole[0] == {**token, "top_logprobs": [token, token]} and len(whole) == 2
    chunks = events(http.post("/v1/chat/completions", json={**ask, "stream": True}))
    logprobs = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    assert [each for given in logprobs if given for each in given["content"]] == whole
    text = http.post("/v1/completions", json={"prompt": "x", "logprobs": 1, "max_tokens": 3}).json()
    assert text["choices"][0]["logprobs"] == {
        "tokens": ["H", "e", "l"],
        "token_logprobs": [-0.5] * 3,
        "top_logprobs": [{"H": -0.5}, {"e": -0.5}, {"l": -0.5}],
        "text_offset": [0, 1, 2],
    }


def test_sampling_and_speculation_reach_the_engine(http: httpx.Client, engine: ScriptedEngine) -> None:
    ask = {
        "temperature": 0.3,
        "top_p": 0.5,
        "top_k": 7,
        "min_p": 0.1,
        "presence_penalty": -1,
        "frequency_penalty": 1.5,
        "repeat_penalty": 1.1,
        "seed": 42,
        "max_completion_tokens": 9,
        "speculative": False,
        "draft_length": 3,
    }
    assert http.post("/v1/chat/completions", json={**ASK, **ask}).status_code == 200
    settings = engine.settings[-1]
    sampling = settings.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.min_p) == (0.3, 0.5, 7, 0.1)
    assert (sampling.presence_penalty, sampling.frequency_penalty, sampling.repeat_penalty) == (-1, 1.5, 1.1)
    assert (sampling.seed, settings.max_tokens) == (42, 9)
    assert (settings.speculation.is_enabled, settings.speculation.draft_length) == (False, 3)


def test_thoughts_are_sampled_as_recommended_for_thoughts() -> None:
    defaults = RequestDefaults(
        sampling=SamplingSettings(temperature=0.7), thinking_sampling=SamplingSettings(temperature=0.6), names=("m",)
    )
    thinking = {**ASK, "chat_template_kwargs": {"enable_thinking": True}}
    assert read_chat_request(ASK, defaults).options.sampling.temperature == 0.7
    assert read_chat_request(thinking, defaults).options.sampling.temperature == 0.6
    assert read_chat_request({**thinking, "temperature": 0.1}, defaults).options.sampling.temperature == 0.1
    in_form = read_chat_request({**thinking, "response_format": {"type": "json_object"}}, defaults)
    assert in_form.options.sampling.temperature == 0.7 and not in_form.is_thinking


@pytest.mark.parametrize(
    ("ask", "param"),
    [
        ({}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].type"),
        ({**ASK, "temperature": "hot"}, "temperature"),
        ({**ASK, "temperature": True}, "temperature"),
        ({**ASK, "top_p": 1.5}, "top_p"),
        ({**ASK, "n": 2}, "n"),
        ({**ASK, "max_tokens": 0}, "max_tokens"),
        ({**ASK, "max_tokens": 10**30}, "max_tokens"),
        ({**ASK, "stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({**ASK, "stop": [1]}, "stop"),
        ({**ASK, "stream": "yes"}, "stream"),
        ({**ASK, "top_logprobs": 3}, "top_logprobs"),
        ({**ASK, "logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({**ASK, "draft_length": 8}, "draft_length"),
        ({**ASK, "logit_bias": {"1": 2}}, "logit_bias"),
        ({**ASK, "functions": []}, "functions"),
        ({**ASK, "tools": [{"type": "function"}]}, "tools[0].function"),
        ({**ASK, "tools": [{"function": {"name": "no spaces"}}]}, "tools[0].function.name"),
        ({**ASK, "tool_choice": "required"}, "tool_choice"),
        ({**ASK, "tool_choice": {"function": {"name": "f"}}}, "tool_choice.function.name"),
        ({**ASK, "response_format": {"type": "xml"}}, "response_format.type"),
        ({**ASK, "response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({**ASK, "chat_template_kwargs": {"messages": []}}, "chat_template_kwargs.messages"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_name(http: httpx.Client, ask: dict[str, Any], param: str) -> None:
    response = http.post("/v1/chat/completions", json=ask)
    assert response.status_code == 400
    found = error(response)
    assert found["param"] == param and found["type"] == "invalid_request_error"
    assert found["message"].startswith(param) and found["message"].endswith(".")


def test_images_are_refused_in_words_a_person_understands(http: httpx.Client) -> None:
    message = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}]}
    found = error(http.post("/v1/chat/completions", json={"messages": [message]}))
    assert "reads text only" in found["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff",
        b'{"messages": NaN}',
        b"[" * 100_000,
        b'{"a": "\\ud800"}',
        b"1" * 5000,
    ],
)
def test_what_is_no_json_object_is_refused(http: httpx.Client, body: bytes) -> None:
    for path in ("/v1/chat/completions", "/v1/completions"):
        response = http.post(path, content=body)
        assert response.status_code == 400 and error(response)["type"] == "invalid_request_error"


@pytest.mark.parametrize(("depth", "status"), [(80, 200), (120, 400), (900, 400)])
def test_what_is_nested_too_deeply_is_refused(http: httpx.Client, depth: int, status: int) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth // 2):
        schema = {"type": "object", "properties": {"[{": schema}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    assert http.post("/v1/chat/completions", json={**ASK, "tools": [tool]}).status_code == status
    quoted = {**ASK, "messages": [{"role": "user", "content": '{"[' * 1000}]}
    assert http.post("/v1/chat/completions", json=quoted).status_code == 200


def test_a_prompt_longer_than_the_context_is_the_clients_to_shorten(http: httpx.Client) -> None:
    response = http.post("/v1/completions", json={"prompt": "x" * 200_000})
    assert response.status_code == 400 and error(response)["code"] == "context_length_exceeded"


def test_what_the_engine_refuses_is_told_before_a_stream_begins(http: httpx.Client, engine: ScriptedEngine) -> None:
    engine.knows_grammars = False
    response = http.post("/v1/chat/completions", json={**ASK, "stream": True, "grammar": "root ::= nonsense"})
    assert response.status_code == 400 and error(response)["param"] == "grammar"


def test_another_model_is_not_found_and_every_name_of_ours_is(http: httpx.Client) -> None:
    response = http.post("/v1/chat/completions", json={**ASK, "model": "gpt-9"})
    assert response.status_code == 404 and error(response)["code"] == "model_not_found"
    assert http.post("/v1/chat/completions", json={**ASK, "model": "other-name"}).status_code == 200
    assert [model["id"] for model in http.get("/v1/models").json()["data"]] == ["scripted", "other-name"]
    assert http.get("/v1/models/scripted").json()["meta"]["draft_block_size"] == 7
    assert error(http.get("/v1/models/gpt-9"))["code"] == "model_not_found"


def test_paths_and_methods_that_are_not_there_are_told_in_the_same_form(http: httpx.Client) -> None:
    assert http.get("/").status_code == 404 and error(http.get("/"))["code"] == "not_found"
    response = http.get("/v1/chat/completions")
    assert response.status_code == 405 and error(response)["code"] == "method_not_allowed"


def test_too_large_a_body_is_refused_unread(http: httpx.Client) -> None:
    response = http.post("/v1/completions", content=b"x" * 16_000_001)
    assert response.status_code == 413 and error(response)["code"] == "body_too_large"
    assert http.get("/health").status_code == 200


def test_metrics_add_up(http: httpx.Client) -> None:
    for _ in range(3):
        http.post("/v1/chat/completions", json=ASK)
    http.post("/v1/chat/completions", json={})
    response = http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = response.text.splitlines()
    for line in (
        'sparkdesk_requests_total{path="/v1/chat/completions",status="200"} 3.0',
        'sparkdesk_requests_total{path="/v1/chat/completions",status="400"} 1.0',
        'sparkdesk_replies_total{outcome="stop"} 3.0',
        "sparkdesk_generated_tokens_total 39.0",
        "sparkdesk_draft_tokens_accepted_total 18.0",
        "sparkdesk_requests_waiting 0.0",
        "sparkdesk_requests_running 0.0",
        "sparkdesk_engine_up 1.0",
        'sparkdesk_reply_seconds_bucket{le="+Inf"} 3.0',
    ):
        assert line in lines, line


def test_nothing_of_what_was_said_is_logged(server: Served, http: httpx.Client) -> None:
    secret = "xyzzy-plugh"
    http.post("/v1/completions", json={"prompt": secret})
    http.post(f"/v1/{secret}/completions%0D%0Ax?q={secret}", json={"prompt": secret})
    http.post("/v1/completions", json={"prompt": secret, "temperature": secret})
    said = [line for line in server.log if "/v1/completions" in line]
    assert len(said) == 2 and said[0].startswith("POST /v1/completions 200 ")
    assert not any(secret in line for line in said)
    assert all("\n" not in line and "?" not in line for line in server.log)
