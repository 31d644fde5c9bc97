"""`sparkdesk serve` as a process: what it says, what it refuses, how it ends; and Spark Tiny behind OpenAI's client."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.cli.command_line import COMMAND, ROOT, sparkdesk

START_SECONDS = 120


@contextmanager
def serving(*arguments: str, key: str = "") -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address, and the process, whose stderr has been read up to the greeting."""
    process = subprocess.Popen(
        (*COMMAND, "serve", "--port", "0", "--threads", "1", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "SPARKDESK_API_KEY": key},
    )
    try:
        assert process.stderr is not None
        line = next((line for line in process.stderr if line.startswith("Serving ")), "")
        found = re.search(r"http://\S+?:\d+(?=/v1)", line)
        assert found, f"no greeting: {line!r}"
        yield found[0], process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@pytest.mark.native
def test_spark_tiny_answers_openais_client(isolated_home: Path) -> None:
    with serving() as (address, process):
        client = OpenAI(base_url=f"{address}/v1", api_key="none", timeout=60, max_retries=0)
        ask: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Count from 1 to 10."}]
        reply = client.chat.completions.create(
            model="Spark-Tiny",
            messages=ask,
            temperature=0,
            extra_body={"draft_length": 4},  # left to itself, a busy machine may not speculate
        )
        assert reply.choices[0].message.content == "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"
        extra = reply.model_extra or {}
        assert extra["timings"]["draft_n_accepted"] > 0
        histogram = extra["metrics"]["speculative_decoding"]["acceptance_histogram"]
        assert sum(histogram) == extra["metrics"]["speculative_decoding"]["num_spec_steps"] > 0

        plain = client.chat.completions.create(
            model="Spark-Tiny",
            messages=ask,
            temperature=0,
            stop=["7"],
            extra_body={"speculative": False},
        )
        assert plain.choices[0].message.content == "1, 2, 3, 4, 5, 6, "
        assert (plain.model_extra or {})["timings"]["draft_n"] == 0

        stream = client.chat.completions.create(
            model="Spark-Tiny",
            messages=ask,
            temperature=0,
            stream=True,
            logprobs=True,
            top_logprobs=2,
        )
        chunks = list(stream)
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        told = [
            each for chunk in chunks if chunk.choices[0].logprobs for each in chunk.choices[0].logprobs.content or []
        ]
        assert said == "1, 2, 3, 4, 5, 6, 7, 8, 9, 10" == "".join(each.token for each in told)
        assert all(each.logprob <= 0 and len(each.top_logprobs) == 2 for each in told)
        client.close()

        process.send_signal(signal.SIGINT)
        _, talk = process.communicate(timeout=60)
        assert process.returncode == 0 and talk.endswith("Stopped.\n")
        assert "Count" not in talk.partition("}]}")[2] and "POST /v1/chat/completions 200" in talk


@pytest.mark.native
def test_a_killed_engine_is_loaded_again(isolated_home: Path) -> None:
    with serving(key="s3cret") as (address, process):
        headers = {"Authorization": "Bearer s3cret"}
        with httpx.Client(base_url=address, headers=headers, timeout=60) as http:
            assert httpx.get(f"{address}/v1/models").status_code == 401
            child = engine_pid(process)
            os.kill(child, signal.SIGKILL)
            reply = http.post("/v1/completions", json={"prompt": "1, 2, 3,", "max_tokens": 4})
            assert reply.status_code == 200 and len(reply.json()["choices"][0]["text"]) > 3
            assert http.get("/health").json()["engine_reloads"] == 1
            child = engine_pid(process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0
        assert not Path(f"/proc/{child}").exists(), "the engine's process ends with the server"


def engine_pid(server: "subprocess.Popen[str]") -> int:
    """Of its children the one with the models; another one renders templates."""
    (child,) = (child for child in children(server.pid) if b"sparkdesk.runner.child" in command_of(child))
    return child


def command_of(pid: int) -> bytes:
    with contextlib.suppress(OSError):  # gone meanwhile
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def children(pid: int) -> list[int]:
    parents = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):  # gone meanwhile
            parents[int(status.parent.name)] = int(status.read_text().split("PPid:")[1].split()[0])
    return [child for child, parent in parents.items() if parent == pid]


def post_in_background(address: str, *, count: int, **body: object) -> list[threading.Thread]:
    asked = {"messages": [{"role": "user", "content": "Count from 1 to 40."}], **body}

    def post() -> None:
        with contextlib.suppress(httpx.HTTPError):
            httpx.post(f"{address}/v1/chat/completions", json=asked, timeout=60)

    threads = [threading.Thread(target=post, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


@pytest.mark.native
@pytest.mark.parametrize("waits_s", [0.2, 4.0])
def test_a_stopped_engine_does_not_keep_the_server_from_ending(isolated_home: Path, waits_s: float) -> None:
    """SIGTERM had not ended it after a minute: the thread that waited for the engine was joined first."""
    with serving("--grace", "1") as (address, process):
        os.kill(engine_pid(process), signal.SIGSTOP)
        post_in_background(address, count=12)
        time.sleep(waits_s)
        health = httpx.get(f"{address}/health", timeout=5)
        assert health.json()["status"] == ("stalled" if waits_s > 3.5 else "ok")
        pid, began_s = engine_pid(process), time.perf_counter()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        assert time.perf_counter() - began_s < 1 + 2
        assert not Path(f"/proc/{pid}").exists()


@pytest.mark.native
@pytest.mark.slow
def test_a_stopped_engine_is_named_ended_and_loaded_again(isolated_home: Path) -> None:
    with serving() as (address, process):
        pid = engine_pid(process)
        os.kill(pid, signal.SIGSTOP)
        ask = {"messages": [{"role": "user", "content": "Count from 1 to 5."}], "temperature": 0}
        told = httpx.post(f"{address}/v1/chat/completions", json=ask, timeout=60)
        answered = told if told.status_code == 200 else None
        deadline_s = time.monotonic() + 60
        while answered is None and time.monotonic() < deadline_s:
            reply = httpx.post(f"{address}/v1/chat/completions", json=ask, timeout=60)
            answered = reply if reply.status_code == 200 else None
        assert answered is not None and "1, 2, 3, 4, 5" in answered.json()["choices"][0]["message"]["content"]
        assert httpx.get(f"{address}/health").json()["engine_reloads"] == 1
        assert engine_pid(process) != pid


def test_a_port_in_use_is_told_in_a_sentence_before_anything_is_loaded() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = sparkdesk("serve", "--port", str(port))
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == f"sparkdesk: Port {port} is in use already."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--host", "0.0.0.0"), "there is no key"),
        (("--host", "no.such.host.invalid", "--api-key", "k"), "Cannot listen on"),
        (("--port", "70000"), "Port 70000 does not exist."),
        (("--port", "x"), "is not a whole number"),
        (("--api-key", ""), "The key is empty."),
        (("--api-key", "a", "--api-key-file", "b"), "There are two keys."),
        (("--api-key-file", "/no/such/file"), "cannot be read"),
        (("no-such-pair",), "There is no pair called no-such-pair."),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], said: str) -> None:
    done = sparkdesk("serve", *arguments)
    assert done.returncode == 2 and said in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) <= 2 and not done.stdout


def test_nothing_is_imported_for_serving_before_it_is_asked_for() -> None:
    script = (
        "import sys, sparkdesk.cli.serve; print([m for m in ('starlette', 'uvicorn', 'anyio') if m in sys.modules])"
    )
    done = subprocess.run(
        (sys.executable, "-c", script), capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )
    assert json.loads(done.stdout.replace("'", '"')) == []
