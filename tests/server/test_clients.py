"""Several clients at once: turns, too many of them, those who leave, those who do not read; the end; a dead engine."""

import asyncio
import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from sparkdesk.errors import ModelLoadError, UsageError
from sparkdesk.server.jobs.dispatcher import Dispatcher
from sparkdesk.server.web import delivery
from sparkdesk.server.web.app import build_app
from sparkdesk.server.web.security import Policy
from sparkdesk.server.web.serving import RunningServer, listen
from tests.reply_scripts import answering
from tests.scripted_engine import ScriptedEngine
from tests.server.served import DEFAULTS, MODEL, Served, served

CHAT = "/v1/chat/completions"


def ask(text: str = "Hi", **more: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **more}


@asynccontextmanager
async def client_of(server: Served) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=server.url, timeout=30, limits=limits) as client:
        yield client


async def until(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it does not come to it"
        await asyncio.sleep(0.01)


async def test_one_reply_at_a_time_and_clients_in_turn(server: Served, engine: ScriptedEngine) -> None:
    engine.gate.clear()
    async with client_of(server) as client:
        asked = []
        for name in ("first", "a1", "a2", "a3", "b1"):
            asked.append(asyncio.create_task(client.post(CHAT, json=ask(name, user=name[0]))))
            await until(lambda: server.dispatcher.gauges.waiting + len(engine.prompts) == len(asked))
        engine.gate.set()
        replies = await asyncio.gather(*asked)
    assert {reply.status_code for reply in replies} == {200}
    order = [prompt.split("|user|>")[1].split("<")[0] for prompt in engine.texts]
    assert order == ["first", "a1", "b1", "a2", "a3"]
    assert engine.most_running == 1


async def test_beyond_the_queue_clients_are_told_when_to_try_again(engine: ScriptedEngine) -> None:
    engine.gate.clear()
    with served(engine, capacity=2) as server:
        async with client_of(server) as client:
            asked = []
            for count in range(3):
                asked.append(asyncio.create_task(client.post(CHAT, json=ask(f"{count}"))))
                await until(lambda: server.dispatcher.gauges.waiting + len(engine.prompts) == len(asked))
            refused = await client.post(CHAT, json=ask("one too many"))
            engine.gate.set()
            replies = await asyncio.gather(*asked)
    assert refused.status_code == 429 and refused.json()["error"]["type"] == "rate_limit_error"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert [reply.status_code for reply in replies] == [200] * 3


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_who_leaves_in_mid_reply_is_not_answered_any_more(
    server: Served, engine: ScriptedEngine, is_streamed: bool
) -> None:
    engine.script = answering("on and on " * 10_000)
    engine.round_s = 0.001
    async with client_of(server) as client:
        task = asyncio.create_task(client.post(CHAT, json=ask(stream=is_streamed)))
        await until(lambda: engine.running == 1)
        task.cancel()
        await until(lambda: engine.running == 0)
        assert engine.cancelled == 1
        engine.script = answering("Hello.")
        assert (await client.post(CHAT, json=ask())).status_code == 200


async def test_who_leaves_while_waiting_never_reaches_the_engine(server: Served, engine: ScriptedEngine) -> None:
    engine.gate.clear()
    async with client_of(server) as client:
        first = asyncio.create_task(client.post(CHAT, json=ask("first")))
        await until(lambda: engine.running == 1)
        second = asyncio.create_task(client.post(CHAT, json=ask("second")))
        await until(lambda: server.dispatcher.gauges.waiting == 1)
        second.cancel()
        await until(lambda: server.dispatcher.gauges.waiting == 0)
        engine.gate.set()
        assert (await first).status_code == 200
    assert len(engine.prompts) == 1


def test_who_does_not_read_does_not_hold_the_others_up_and_is_cut_off(engine: ScriptedEngine) -> None:
    """Its reply is longer than what may wait for one reader, and the engine goes on to the next all the same."""
    engine.script = answering(lambda prompt, settings: "x" * 50_000 if "much" in prompt else "Hello.", round_tokens=10)
    with served(engine, stalled_s=1.0, most_waiting_bytes=200_000, send_buffer=4096) as server:
        lazy = send_raw(server, ask("much", stream=True), receive_buffer=4096)
        until_now(lambda: len(engine.prompts) == 1)
        began = time.monotonic()
        reply = httpx.post(server.url + CHAT, json=ask("little"), timeout=30)
        assert reply.status_code == 200 and time.monotonic() - began < 20
        until_now(lambda: server.running.connection_count == 0)
        assert engine.cancelled == 1, "what nobody reads is not made to the end"
        lazy.close()


def test_who_reads_slowly_gets_everything(engine: ScriptedEngine) -> None:
    engine.script = answering("y" * 5000, round_tokens=10)
    with served(engine, stalled_s=5.0, send_buffer=4096) as server:
        slow = send_raw(server, ask(stream=True), receive_buffer=4096)
        data = b""
        while not data.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n"):
            data += slow.recv(8192)
            time.sleep(0.002)
        slow.close()
        assert data.count(b'"content":"yyyyyyyyyy"') == 500


def send_raw(server: Served, body: dict[str, Any], *, receive_buffer: int) -> socket.socket:
    """A request, and nobody who reads the answer."""
    host, port = server.url.removeprefix("http://").split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(20)
    client.connect((host, int(port)))
    data = json.dumps(body).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(data)}\r\n\r\n"
    client.sendall(head.encode() + data)
    return client


def until_now(is_so: Callable[[], bool]) -> None:
    asyncio.run(until(is_so))


def test_the_end_lets_a_reply_come_to_its_own(engine: ScriptedEngine) -> None:
    engine.round_s = 0.05
    with served(engine, grace_s=10) as server:
        reply = in_background(lambda: httpx.post(server.url + CHAT, json=ask(), timeout=30))
        until_now(lambda: engine.running == 1)
        server.running.stop()
        assert reply().json()["choices"][0]["message"]["content"] == "Hello, world."


def test_the_end_ends_what_takes_too_long_and_what_waits_with_a_proper_error(engine: ScriptedEngine) -> None:
    engine.script, engine.round_s = answering("z" * 100_000), 0.01
    with served(engine, grace_s=0.2) as server:
        streamed = in_background(lambda: httpx.post(server.url + CHAT, json=ask(stream=True), timeout=30))
        until_now(lambda: engine.running == 1)
        waiting = in_background(lambda: httpx.post(server.url + CHAT, json=ask(), timeout=30))
        until_now(lambda: server.dispatcher.gauges.waiting == 1)
        server.running.stop()
        assert waiting().status_code == 503 and waiting().json()["error"]["code"] == "shutting_down"
        *_, last, done, _ = streamed().text.split("\n\n")
        assert json.loads(last.removeprefix("data: "))["error"]["code"] == "shutting_down" and done == "data: [DONE]"


def test_the_end_comes_although_the_engine_holds_still(engine: ScriptedEngine) -> None:
    """A stopped engine heeds no cancel, and the thread that waits for it was joined before the engine was closed."""
    engine.gate.clear()
    with served(engine, grace_s=0.3) as server:
        reply = in_background(lambda: httpx.post(server.url + CHAT, json=ask(), timeout=30))
        until_now(lambda: engine.running == 1)
        began = time.monotonic()
        server.running.stop()
        assert reply().json()["error"]["code"] == "shutting_down"
    assert time.monotonic() - began < 2.3
    assert not engine.is_alive


async def test_a_stalled_engine_is_told_to_whoever_looks_or_comes(engine: ScriptedEngine) -> None:
    """Health said "ok", and requests waited for ever."""
    engine.gate.clear()
    with served(engine) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            running = asyncio.create_task(client.post(CHAT, json=ask()))
            await until(lambda: engine.running == 1)
            waiting = asyncio.create_task(client.post(CHAT, json=ask()))
            leaving = asyncio.create_task(client.post(CHAT, json=ask()))
            await until(lambda: server.dispatcher.gauges.waiting == 2)
            engine.is_stalled = True
            health = await client.get("/health")
            assert (health.status_code, health.json()["status"]) == (503, "stalled")
            refused = await client.post(CHAT, json=ask())
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "engine_stalled")
            assert int(refused.headers["Retry-After"]) > 0
            leaving.cancel()
            await until(lambda: server.dispatcher.gauges.waiting == 1)
            engine.stall_ends()
            for reply in (await running, await waiting):
                assert (reply.status_code, reply.json()["error"]["code"]) == (503, "engine_stalled")
            await until(lambda: server.dispatcher.state == "ready")
            assert (await client.post(CHAT, json=ask())).status_code == 200
            assert (await client.get("/health")).json()["engine_reloads"] == 1


async def test_an_idle_engine_that_dies_is_loaded_again_before_anybody_asks(
    server: Served, engine: ScriptedEngine
) -> None:
    """Health said "ok" of a server whose engine was gone."""
    engine.is_alive = False
    await until(lambda: server.dispatcher.gauges.reloads == 1)
    assert engine.is_alive and server.dispatcher.state == "ready"


def test_the_end_comes_at_once_for_those_in_a_hurry(engine: ScriptedEngine) -> None:
    engine.script, engine.round_s = answering("z" * 100_000), 0.01
    with served(engine, grace_s=60) as server:
        in_background(lambda: httpx.post(server.url + CHAT, json=ask(), timeout=30))
        until_now(lambda: engine.running == 1)
        began = time.monotonic()
        server.running.stop()
        server.running.stop()
        until_now(lambda: engine.running == 0)
    assert time.monotonic() - began < 10


def in_background(work: Callable[[], httpx.Response]) -> Callable[[], httpx.Response]:
    """Returns what waits for the result."""
    found: list[httpx.Response] = []

    def run() -> None:
        with contextlib.suppress(httpx.HTTPError):
            found.append(work())

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> httpx.Response:
        thread.join(30)
        return found[0]

    return result


async def test_a_stream_is_never_silent_for_long(
    server: Served, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy between may take a silent connection for dead; clients pass over comments."""
    monkeypatch.setattr(delivery, "QUIET_S", 0.05)
    engine.gate.clear()
    async with client_of(server) as client:
        task = asyncio.create_task(client.post(CHAT, json=ask(stream=True)))
        await until(lambda: engine.running == 1)
        await asyncio.sleep(0.3)
        engine.gate.set()
        text = (await task).text
    assert text.count(": keep-alive\n\n") >= 2
    assert "".join(re.findall(r'"content":"([^"]*)"', text)) == "Hello, world."


def test_of_two_that_take_a_port_the_second_to_listen_is_told(engine: ScriptedEngine) -> None:
    with listen("127.0.0.1", 0) as first:
        second = listen("127.0.0.1", first.getsockname()[1])  # nobody listens there yet
        first.listen()
        dispatcher = Dispatcher(engine, reload=engine.reload, capacity=1)
        app = build_app(dispatcher, DEFAULTS, Policy(), log=lambda text: None)
        with pytest.raises(UsageError, match="in use already"):
            RunningServer(app, dispatcher, grace_s=0).run(second)
        dispatcher.shutdown_executor()


async def test_an_engine_that_dies_is_loaded_again_and_the_others_never_notice(
    server: Served, engine: ScriptedEngine
) -> None:
    engine.script = answering(lambda prompt, settings: "boom" if "dynamite" in prompt else "Hello.")
    engine.dies_at = "oo"
    engine.round_s = 0.05
    async with client_of(server) as client:
        dying = asyncio.create_task(client.post(CHAT, json=ask("dynamite")))
        await until(lambda: engine.running == 1)
        waiting = asyncio.create_task(client.post(CHAT, json=ask("water")))
        broken, whole = await dying, await waiting
        assert broken.status_code == 503 and broken.json()["error"]["code"] == "engine_crashed"
        assert "SIGSEGV" in broken.json()["error"]["message"]
        assert whole.status_code == 200
        health = (await client.get("/health")).json()
        assert health["status"] == "ok" and health["engine_reloads"] == 1
    assert any("died" in line for line in server.log)


async def test_a_stream_whose_engine_dies_ends_with_the_cause(server: Served, engine: ScriptedEngine) -> None:
    engine.dies_at = "wor"
    async with client_of(server) as client:
        reply = await client.post(CHAT, json=ask(stream=True))
    *_, last, done, _ = reply.text.split("\n\n")
    assert reply.status_code == 200 and done == "data: [DONE]"
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "engine_crashed"


async def test_an_engine_that_died_unnoticed_is_loaded_again_for_the_next_request(
    server: Served, engine: ScriptedEngine
) -> None:
    engine.is_alive = False
    async with client_of(server) as client:
        assert (await client.post(CHAT, json=ask())).status_code == 200
        assert (await client.get("/health")).json()["engine_reloads"] == 1


async def test_an_engine_that_dies_twice_in_a_row_is_left_alone_and_health_says_so(engine: ScriptedEngine) -> None:
    engine.dies_at = "Hello"

    class Stubborn(ScriptedEngine):
        def reload(self) -> None:
            self.is_alive = True

    stubborn = Stubborn(answering("Hello, world.", round_tokens=20), MODEL, dies_at="Hello")
    with served(stubborn) as server:
        async with client_of(server) as client:
            codes = [(await client.post(CHAT, json=ask())).json()["error"]["code"] for _ in range(3)]
            health = await client.get("/health")
        assert codes == ["engine_crashed", "engine_crashed", "engine_failed"]
        assert health.status_code == 503 and health.json()["status"] == "error"
        assert "died twice" in health.json()["problem"]


async def test_a_model_that_cannot_be_loaded_again_is_told_of(engine: ScriptedEngine) -> None:
    class Gone(ScriptedEngine):
        def reload(self) -> None:
            raise ModelLoadError("The file is gone.", "Look for it.")

    with served(Gone(engine.script, MODEL, is_alive=False)) as server:
        async with client_of(server) as client:
            reply = await client.post(CHAT, json=ask())
            assert reply.status_code == 503 and reply.headers["x-should-retry"] == "false"
            assert "The file is gone." in (await client.get("/health")).json()["problem"]
