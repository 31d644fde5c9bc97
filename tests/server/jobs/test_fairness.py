"""One request does not hurt the others: bounds before work, work that can be ended, and turns by the time they take."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.reply_scripts import answering
from tests.scripted_engine import ScriptedEngine
from tests.server.served import MODEL, Served, served

CHAT = "/v1/chat/completions"


@dataclass
class CountingEngine(ScriptedEngine):
    """Takes its time for cutting text, and counts what it cuts."""

    cut_s: float = 0.0
    cut: int = 0

    def tokenize(self, text: str, parse_special: bool = True) -> tuple[int, ...]:
        self.cut += len(text)
        time.sleep(self.cut_s)
        return super().tokenize(text, parse_special)


@pytest.fixture
def engine() -> CountingEngine:
    return CountingEngine(answering("Hello there.", round_tokens=4), MODEL)


@pytest.fixture
def server(engine: CountingEngine) -> Iterator[Served]:
    with served(engine) as running:
        yield running


@pytest.fixture
def http(server: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


def ask(text: str = "Hi", **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **more}


@pytest.mark.parametrize("letter", [" ", "a", "é", "\n"])
def test_a_text_that_cannot_fit_is_not_cut_whole(engine: CountingEngine, http: httpx.Client, letter: str) -> None:
    """15 MB of spaces once took a minute."""
    reply = http.post(CHAT, json=ask(letter * 900_000))
    assert reply.status_code == 400 and reply.json()["error"]["code"] == "context_length_exceeded"
    assert engine.cut < 300_000


def test_cutting_a_text_ends_when_its_client_leaves(engine: CountingEngine, server: Served) -> None:
    engine.cut_s = 0.2
    with httpx.Client(base_url=server.url, timeout=0.5) as client, pytest.raises(httpx.ReadTimeout):
        client.post(CHAT, json=ask("a" * 190_000))
    time.sleep(0.6)
    before = engine.cut
    time.sleep(0.6)
    assert engine.cut == before < 190_000


BOMBS = [
    {"grammar": 'root ::= "a"{1,999999999}'},
    {"grammar": 'root ::= root "a" | "b"'},
    {"grammar": 'root ::= (("a"? "b"?){0,99} "c"?){0,99999}'},
    {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "b", "schema": {"pattern": "(a{1,999}){1,999}b"}},
        }
    },
    {"response_format": {"type": "json_schema", "json_schema": {"name": "b", "schema": {"not": {}}}}},
    {"response_format": {"type": "json_object", "schema": {"allOf": [{"anyOf": [{}] * 90}] * 90}}},
]


@pytest.mark.parametrize("bomb", BOMBS, ids=range(len(BOMBS)))
def test_a_grammar_that_cannot_be_used_takes_nobodys_turn(
    engine: CountingEngine, server: Served, http: httpx.Client, bomb: dict[str, Any]
) -> None:
    engine.gate.clear()
    with httpx.Client(base_url=server.url, timeout=30) as other:
        busy = threading.Thread(target=other.post, args=(CHAT,), kwargs={"json": ask()})
        busy.start()
        began = time.monotonic()
        refused = http.post(CHAT, json=ask(**bomb))
        assert refused.status_code == 400 and time.monotonic() - began < 2
        assert refused.json()["error"]["param"] in ("grammar", "response_format")
        engine.gate.set()
        busy.join()


@pytest.mark.parametrize("crowd", ["one user", "thirty connections"])
def test_a_small_request_beside_thirty_large_ones_starts_soon(
    engine: CountingEngine, server: Served, crowd: str
) -> None:
    engine.gate.clear()
    users = {"user": "greedy"} if crowd == "one user" else {}

    def post(body: dict[str, Any]) -> None:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            client.post(CHAT, json=body)

    large = [threading.Thread(target=post, args=(ask(f"large {n}", max_tokens=900, **users),)) for n in range(30)]
    for thread in large:
        thread.start()
    until_waiting(server, 29)
    small = threading.Thread(target=post, args=(ask("small", max_tokens=3),))
    small.start()
    until_waiting(server, 30)
    engine.gate.set()
    for thread in (*large, small):
        thread.join()
    assert "small" in engine.texts[1]


def until_waiting(server: Served, count: int) -> None:
    deadline = time.monotonic() + 20
    while server.dispatcher.gauges.waiting < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_a_schema_is_not_held_to_is_told_in_a_header(http: httpx.Client) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "format": "color-é"}}}
    form = {"type": "json_schema", "json_schema": {"name": "r", "schema": schema}}
    for is_streamed in (False, True):
        reply = http.post(CHAT, json=ask(response_format=form, stream=is_streamed))
        assert reply.headers["x-schema-not-enforced"] == 'format "color-?"'
    assert "x-schema-not-enforced" not in http.post(CHAT, json=ask()).headers


def test_what_calls_are_not_held_to_is_told_in_the_header_too(http: httpx.Client) -> None:
    schemas = {
        "odd": {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}},
        "held": {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": "null"}}},
    }
    for name, schema in schemas.items():
        tool = {"type": "function", "function": {"name": name, "parameters": schema}}
        for choice in ("auto", "required", {"type": "function", "function": {"name": name}}):
            reply = http.post(CHAT, json=ask(tools=[tool], tool_choice=choice))
            told = reply.headers.get("x-schema-not-enforced", "")
            assert told.startswith("parameters of odd: ") if name == "odd" else not told


def test_sixteen_large_bodies_at_once_are_answered(server: Served, engine: CountingEngine) -> None:
    """Read a few at a time; what has been refused leaves nothing behind."""
    statuses = []

    def post() -> None:
        body = json.dumps(ask("x" * 12_000_000))
        with httpx.Client(base_url=server.url, timeout=120) as client:
            statuses.append(client.post(CHAT, content=body).status_code)

    threads = [threading.Thread(target=post) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [400] * 16
    with httpx.Client(base_url=server.url, timeout=30) as client:
        assert client.post(CHAT, json=ask()).status_code == 200
