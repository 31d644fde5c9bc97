"""Twenty clients, a thousand requests, some of whom leave whenever they like: nothing is lost, nothing is leaked."""

import asyncio
import gc
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.engine.settings import GenerationSettings, LoadSettings
from sparkdesk.runner.client import EngineClient
from sparkdesk.server.requests.models import RequestDefaults
from tests.server.served import Listening, listening, served, server_engine

CHAT, MESSAGES, RESPONSES = APIS = ("/v1/chat/completions", "/v1/messages", "/v1/responses")
SEED = 20260926
SPARE_FILES = 10
"""Connections are closed a moment later than their clients, and threads that help come and go."""
MOST_HELPING = min(32, (os.cpu_count() or 1) + 4)
"""As many threads as asyncio ever keeps for what would block it."""


class Crowd:
    """Clients with a connection or two each; every request is told from every other by what it says."""

    def __init__(self, server: Listening, *, clients: int, requests: int, leaving: float, seed: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self._server, self._clients, self._leaving = server, clients, leaving
        self._random = random.Random(seed)
        self._left = list(range(requests))

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(self._clients)))

    async def _client(self, number: int) -> None:
        async with httpx.AsyncClient(base_url=self._server.url, timeout=60) as http:
            while self._left:
                await self._ask(http, self._left.pop(), user=f"client {number}")

    async def _ask(self, http: httpx.AsyncClient, number: int, *, user: str) -> None:
        path = self._random.choice(APIS)
        body = {"stream": self._random.random() < 0.5, "temperature": 0, "draft_length": 4}
        text = f"Count from {number % 40} to {number % 40 + 9}."
        task = asyncio.ensure_future(http.post(path, json={**body, **_asking(path, text, user)}))
        if self._random.random() < self._leaving:
            await asyncio.wait((task,), timeout=self._random.uniform(0, 0.1))
            if not task.done():
                task.cancel()
                self.outcomes["left"] += 1
                return
        self.outcomes[self._judge(await task, number)] += 1

    def _judge(self, reply: httpx.Response, number: int) -> str:
        if reply.status_code == 429:
            return "busy"
        assert reply.status_code == 200, reply.text
        said = spoken(reply)
        assert said.startswith(f"{number % 40}, "), f"somebody else's reply: {said!r}"
        return "answered"


def _asking(path: str, text: str, user: str) -> dict[str, object]:
    messages = [{"role": "user", "content": text}]
    if path == CHAT:
        return {"messages": messages, "user": user, "max_tokens": 60}
    if path == MESSAGES:
        return {"messages": messages, "metadata": {"user_id": user}, "max_tokens": 60}
    return {"input": text, "user": user, "max_output_tokens": 60}


def spoken(reply: httpx.Response) -> str:
    is_streamed = reply.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in reply.text.splitlines() if line.startswith("data: ")] if is_streamed else []
    ends = {CHAT: "data: [DONE]", MESSAGES: '"message_stop"', RESPONSES: '"response.'}
    assert not is_streamed or ends[reply.url.path] in lines[-1]
    told = [json.loads(line[6:]) for line in lines if line != "data: [DONE]"] if is_streamed else [reply.json()]
    return "".join(_text(each, reply.url.path) for each in told)


def _text(told: dict[str, Any], path: str) -> str:
    """Of a whole reply, or of one event of a stream."""
    if path == CHAT:
        choice = told["choices"][0]
        return str(choice.get("message", choice.get("delta", {})).get("content") or "")
    if told.get("type") in ("content_block_delta", "response.output_text.delta"):
        return str(told["delta"]["text"] if path == MESSAGES else told["delta"])
    blocks = told.get("content", []) if path == MESSAGES else [told] if "output" in told else []
    parts = blocks if path == MESSAGES else [part for each in blocks for part in each["output"][0]["content"]]
    return "".join(part["text"] for part in parts)


def counting(prompt: str, settings: GenerationSettings) -> str:
    first = int(prompt.rpartition("from ")[2].partition(" ")[0])
    return ", ".join(str(first + step) for step in range(10))


def footprint() -> tuple[int, int]:
    """Threads and open files, sockets among them."""
    return threading.active_count(), len(os.listdir("/proc/self/fd"))


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def settle(server: Listening) -> None:
    """What clients left behind is cleared away a moment later."""

    def is_quiet() -> bool:
        gauges = server.dispatcher.gauges
        return not (gauges.waiting or gauges.is_answering or server.running.connection_count)

    until(is_quiet)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, footprint()
        time.sleep(0.05)


def samples(server: Listening, name: str) -> list[Sample]:
    text = server.dispatcher.metrics.text(server.dispatcher.gauges)
    (family,) = (each for each in text_string_to_metric_families(text) if each.name == name)
    return family.samples


def replies(server: Listening) -> Counter[str]:
    """How those ended that the server has counted so far."""
    return Counter({each.labels["outcome"]: int(each.value) for each in samples(server, "sparkdesk_replies")})


def check_account(server: Listening, crowd: Crowd, requests: int, *, earlier: int = 0) -> None:
    """Every request has become exactly one thing."""
    settle(server)
    assert crowd.outcomes.total() == requests
    outcomes = replies(server)
    assert outcomes["failed"] == 0
    assert outcomes["stop"] + outcomes["length"] >= crowd.outcomes["answered"] + earlier
    assert not any("should not have happened" in line for line in server.log)


def test_twenty_clients_of_three_apis_are_all_accounted_for() -> None:
    engine = server_engine(counting, round_tokens=4, round_s=0.0002)
    with served(engine) as server:
        crowd = Crowd(server, clients=20, requests=150, leaving=0.33, seed=SEED)
        crowd.run()
        check_account(server, crowd, 150)
        assert crowd.outcomes["answered"] > 75 and crowd.outcomes["left"] > 10
        assert engine.most_running == 1 and engine.running == 0


@pytest.mark.slow
def test_a_thousand_requests_of_twenty_clients_leave_nothing_behind() -> None:
    with served(server_engine(counting)) as server:  # the process that renders templates stays for the next ones
        Crowd(server, clients=1, requests=1, leaving=0, seed=SEED).run()
    before = footprint()
    engine = server_engine(counting, round_tokens=4, round_s=0.0002)
    with served(engine) as server:
        warm = Crowd(server, clients=20, requests=300, leaving=0.3, seed=SEED)
        warm.run()
        check_account(server, warm, 300)
        standing, resident = footprint(), resident_bytes()
        crowd = Crowd(server, clients=20, requests=1000, leaving=0.3, seed=SEED + 1)
        crowd.run()
        check_account(server, crowd, 1000, earlier=warm.outcomes["answered"])
        assert footprint()[1] <= standing[1] + SPARE_FILES, "not one more for every client that left"
        assert footprint()[0] <= before[0] + 2 + MOST_HELPING, "the server's thread, the engine's, and those that help"
        assert resident_bytes() - resident < 8_000_000
        assert crowd.outcomes["answered"] > 500 and crowd.outcomes["left"] > 100
        assert engine.most_running == 1 and engine.running == 0
        assert server.dispatcher.gauges.reloads == 0
    until(lambda: footprint() <= before and footprint()[1] <= before[1])


@pytest.fixture(scope="module")
def tiny_engine(tiny_pair: SyntheticPair) -> Iterator[EngineClient]:
    with EngineClient() as engine:
        list(engine.load(LoadSettings(str(tiny_pair.target), str(tiny_pair.draft), context_tokens=512, threads=1)))
        yield engine


@pytest.mark.native
@pytest.mark.slow
def test_spark_tiny_counts_for_everybody(tiny_engine: EngineClient) -> None:
    assert tiny_engine.model is not None
    defaults = RequestDefaults(names=("tiny",), block_size=7, vocabulary_size=tiny_engine.model.vocabulary_size)
    with listening(tiny_engine, reload=lambda: None, defaults=defaults) as server:
        crowd = Crowd(server, clients=6, requests=60, leaving=0.2, seed=SEED)
        crowd.run()
        check_account(server, crowd, 60)
        assert crowd.outcomes["answered"] > 30
        (accepted,) = samples(server, "sparkdesk_draft_tokens_accepted")
        assert accepted.value > 100, "speculation goes on from client to client"
