"""A server that means harm: answers without an end, bombs, numbers nobody can count with, text nobody can keep."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkdesk.chat.conversation import Conversation
from sparkdesk.chat.events import ReplyAdvanced, ReplyBroken, ReplyEvent, ReplyFinished
from sparkdesk.errors import EngineError
from sparkdesk.remote import client
from sparkdesk.remote.client import Server
from sparkdesk.remote.dialect import served_models
from sparkdesk.remote.figures import draft_counters
from sparkdesk.remote.reply import RemoteReply
from sparkdesk.remote.responder import RemoteResponder
from tests.remote.dialects import DONE, STOP, VLLM, Script, event, server, text

_BOMB = gzip.compress(bytes(600_000_000), 1)
"""600 kB."""


@contextmanager
def endless(head: bytes, piece: bytes, pause_s: float = 0.0) -> Iterator[str]:
    """Answers whatever it is asked with `head`, and then with `piece` again and again."""
    listener, is_over = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def answer(connection: socket.socket) -> None:
        try:
            connection.recv(65536)
            connection.sendall(head)
            while not is_over.wait(pause_s):
                connection.sendall(piece)
        except OSError:
            pass
        finally:
            connection.close()

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        is_over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _head(status: int = 200, **more: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", *(f"{name.replace('_', '-')}: {value}" for name, value in more.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("piece", [b" " * 65536, b"[" * 65536], ids=["spaces", "brackets"])
def test_an_answer_without_an_end_is_cut(status: int, piece: bytes) -> None:
    with endless(_head(status), piece) as url:
        there = Server(url)
        with pytest.raises(EngineError, match="without an end"):
            there.models()
        if status == 200:
            assert there.draft_counters() is None
        there.close()


def test_an_answer_that_drips_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.5)
    with endless(_head(), b" ", pause_s=0.05) as url:
        began_s, there = time.monotonic(), Server(url)
        with pytest.raises(EngineError, match="without an end"):
            there.models()
        assert there.draft_counters() is None
        assert time.monotonic() - began_s < 5
        there.close()


@pytest.mark.parametrize("ask", [Server.models, lambda there: list(there.chat({}, is_over=lambda: False))])
@pytest.mark.parametrize("status", [200, 500])
def test_a_bomb_is_not_unpacked_whole(ask: Callable[[Server], object], status: int) -> None:
    length = {"Content_Length": str(len(_BOMB)), "Content_Encoding": "gzip"}
    peak = _peak_bytes()
    with endless(_head(status, **length) + _BOMB, b"") as url:
        there = Server(url)
        with pytest.raises(EngineError):
            ask(there)
        there.close()
    assert _peak_bytes() - peak < 300_000_000


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "\x1b[2J"])
def test_an_encoding_that_was_not_asked_for_is_refused(encoding: str) -> None:
    with endless(_head(Content_Encoding=encoding, Content_Length="3") + b"abc", b"") as url, pytest.raises(EngineError):
        Server(url).models()


def test_a_reply_without_an_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_MOST_REPLY", 1 << 20)
    with endless(_head(Content_Type="text/event-stream"), text("x" * 1000)) as url:
        there = Server(url)
        with pytest.raises(EngineError, match="without an end"):
            list(there.chat({}, is_over=lambda: False))
        there.close()


@pytest.mark.parametrize(
    "listed",
    [
        b'{"data": [{"id": "m", "max_model_len": ' + b"9" * 5000 + b"}]}",
        b"[" * 100_000,
        b'{"data": {"a": 1}}',
        b'{"data": [[1]]}',
        b'{"data": 5}',
        b"\xff\xfe",
        b'{"data": "models"}',
    ],
    ids=lambda listed: str(listed[:20]),
)
def test_a_list_of_models_that_is_none_is_refused(listed: bytes) -> None:
    with server(Script(answer=listed)) as url, pytest.raises(EngineError):
        Server(url).models()


def test_what_it_says_of_its_models_can_be_kept() -> None:
    said = {"id": "\ud800" + "x" * 100_000, "max_model_len": 10**400, "meta": {"draft": "\udfff", "n_params": 1 << 80}}
    (model,) = served_models({"data": [{**said, "owned_by": "vllm"}]})
    assert len(model.name) <= 300 and f"{model.name}{model.draft_name}".encode()
    assert model.context_tokens == model.parameter_count == 0
    assert len(served_models({"data": [{"id": "m"}] * 5000})) <= 1000


_HUGE: tuple[object, ...] = (10**12, 10**400, 1e308, -1, True, "9", None, [], float("inf"), float("nan"))


@pytest.mark.parametrize("number", _HUGE, ids=lambda number: str(number)[:12])
@pytest.mark.parametrize("name", ["predicted_n", "predicted_ms", "draft_n", "draft_n_accepted", "prompt_n", "cache_n"])
def test_figures_nobody_can_count_with_cost_no_reply(name: str, number: object) -> None:
    timings = {"predicted_n": 1, "predicted_ms": 5, "draft_n": 3, "draft_n_accepted": 2, name: number}
    usage = {"prompt_tokens": number, "completion_tokens": number}
    chunks = [text("Hi", timings=timings), event(choices=[], usage=usage, timings=timings), STOP, DONE]
    end = talk(Script(chunks=chunks))[-1]
    assert isinstance(end, ReplyFinished) and end.text == "Hi"


@pytest.mark.parametrize("value", ["1e9999", "1.2.3", "e", "9" * 400, "1e15", "+5", "nan"])
def test_counters_nobody_can_count_with_are_passed_over(value: str) -> None:
    name = "vllm:spec_decode_num"
    draft_counters(f"{name}_drafts_total {value}\n")
    counted = draft_counters(
        f'{name}_drafts 1\n{name}_accepted_tokens_per_pos{{position="900000000"}} 5\n'
        f'{name}_x{{position="{"9" * 5000}"}} {value}\n'
    )
    assert counted is not None and len(counted.accepted_by_position) < 1001


@pytest.mark.parametrize(
    "chunk",
    [
        b'data: {"n": ' + b"9" * 5000 + b"}\n\n",
        b"data: " + b'{"a":' * 50_000 + b"\n\n",
        b'data: {"error": ' + b'{"a":' * 400 + b"1" + b"}" * 400 + b"}\n\n",
        event(error="x" * 1_000_000),
        event(error={"message": {"a": 1}}),
        b"data: 5\n\n",
        b"data: \xff\n\n",
    ],
    ids=lambda chunk: str(chunk[:24]),
)
def test_chunks_that_make_no_sense_break_the_reply_in_a_sentence(chunk: bytes) -> None:
    end = talk(Script(chunks=[text("Hi"), chunk, STOP, DONE]))[-1]
    assert isinstance(end, ReplyBroken) and len(end.cause) < 1000 and "failed" not in end.cause


@pytest.mark.parametrize(
    "delta", [{"content": 5}, {"content": ["a"]}, {"reasoning_content": 7}, {"tool_calls": [{"index": 1e9}]}, None, 5]
)
def test_deltas_of_other_types_bring_no_text(delta: object) -> None:
    chunk = event(choices=[{"delta": delta}, 5, None])
    end = talk(Script(chunks=[text("\ud800Hi\x1b"), chunk, STOP, DONE], models=VLLM))[-1]
    assert isinstance(end, ReplyFinished) and "Hi" in end.text and end.text.encode()


def test_who_does_not_read_keeps_the_server_waiting() -> None:
    """It was all read ahead, into memory."""
    with endless(_head(Content_Type="text/event-stream"), text("x" * 1000)) as url:
        there = Server(url)
        responder = RemoteResponder(there, served_models(VLLM)[0])
        conversation = Conversation(responder)
        reply = conversation.reply("Hello")
        while not isinstance(next(reply), ReplyAdvanced):
            pass
        time.sleep(0.5)
        before = _resident_bytes()
        time.sleep(1)
        assert _resident_bytes() - before < 20_000_000
        responder.cancel()
        assert isinstance(list(reply)[-1], ReplyFinished)
        there.close()


_NAMES = "predicted_n predicted_ms draft_n draft_n_accepted prompt_n prompt_ms cache_n prompt_tokens".split()
_LISTED = ["id", "owned_by", "max_model_len", "meta"]
_NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400), 1e308, True])
_JSON = st.recursive(
    st.none() | _NUMBERS | st.text(st.characters(exclude_categories=()), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_TIMINGS = st.dictionaries(st.sampled_from(_NAMES), _NUMBERS)
_CHOICES = st.lists(st.dictionaries(st.sampled_from(["delta", "finish_reason"]), _JSON), max_size=2)
_DELTAS = st.just([{"delta": {"content": "Hi"}}])
_CHUNKS = st.fixed_dictionaries({"choices": _CHOICES | _DELTAS | _JSON}, optional={
    "timings": _TIMINGS | _JSON, "usage": _TIMINGS | _JSON, "metrics": _JSON})  # fmt: skip


@settings(deadline=None)
@given(st.lists(_CHUNKS, max_size=4))
def test_whatever_chunks_say_there_is_a_reply(chunks: list[dict[str, object]]) -> None:
    reply = RemoteReply()
    for number, chunk in enumerate(chunks):
        advanced = reply.add(chunk, now_s=float(number))
        assert advanced is None or len(advanced.round.tokens) <= 4096
    list(reply.flush())
    assert reply.finished(None, is_stopped=False).text.encode() is not None


@settings(deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(["id", "owned_by", "max_model_len", "meta"]), _JSON), max_size=3) | _JSON
)
def test_whatever_is_listed_is_models_or_none(listed: object) -> None:
    try:
        models = served_models({"data": listed})
    except (KeyError, TypeError, AttributeError):
        return
    assert all(f"{model.name}{model.draft_name}".encode() is not None for model in models)


def talk(script: Script) -> list[ReplyEvent]:
    with server(script) as url:
        there = Server(url)
        conversation = Conversation(RemoteResponder(there, served_models(script.models)[0]))
        events = list(conversation.reply("Hello"))
        there.close()
    return events


def _status(name: str) -> int:
    with open("/proc/self/status") as file:
        return next((int(line.split()[1]) * 1024 for line in file if line.startswith(name)), 0)


def _peak_bytes() -> int:
    return _status("VmHWM")


def _resident_bytes() -> int:
    return _status("VmRSS")
