"""Requests that mean harm, by seed: what a client can send to `sparkdesk serve`, as the bytes on its connection."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.converters.mutations import mutate_bytes, mutate_json

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
_PATHS = (CHAT, CHAT, CHAT, COMPLETIONS, "/v1/models", "/health", "/metrics", "/", "/v1/chat/completions/", "/..//v1")
_TOOL = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Looks.",
        "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
    },
}
_SOUND: tuple[dict[str, Any], ...] = (
    {"model": "spark-tiny", "messages": [{"role": "user", "content": "Count to three."}], "max_tokens": 4},
    {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {
                "name": "look", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "1", "content": "Nothing."},
        ],
        "tools": [_TOOL], "tool_choice": "auto", "stream": True, "max_tokens": 4, "stop": ["x"], "logprobs": True,
        "top_logprobs": 2, "temperature": 0.7, "top_p": 0.9, "seed": 3, "stream_options": {"include_usage": True},
        "speculative": True, "draft_length": 3, "user": "a", "logit_bias": {"1": 1}, "n": 1,
    },
    {"prompt": "One, two,", "max_tokens": 4, "echo": False, "grammar": 'root ::= "a" [b-d]*'},
    {
        "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4,
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {
            "type": "object", "properties": {"a": {"type": "array", "items": {"enum": [1, "x", None]}, "minItems": 1},
                                             "b": {"$ref": "#/$defs/t"}, "c": {"pattern": "^a{1,3}$"}},
            "required": ["a"], "additionalProperties": False, "$defs": {"t": {"anyOf": [{"type": "integer"}]}}}}},
    },
)  # fmt: skip
_SCHEMAS: tuple[Callable[[int], Any], ...] = (
    lambda n: {"type": "string", "pattern": f"^(a{{1,{n}}}){{1,{n}}}$"},
    lambda n: {"type": "string", "pattern": "(" * n + "a" + ")*" * n},
    lambda n: {"type": "string", "pattern": "(a|a)*" * n + "b"},
    lambda n: {"type": "string", "minLength": n, "maxLength": n * n},
    lambda n: {"type": "array", "items": {"type": "array", "items": {"type": "string"}, "minItems": n}, "minItems": n},
    lambda n: {"type": "integer", "minimum": -(10 ** min(n, 4000)), "maximum": 10 ** min(n, 4000), "multipleOf": n},
    lambda n: {"type": "object", "properties": {f"p{each}": {"type": "string"} for each in range(n)}},
    lambda n: {"allOf": [{"type": "object", "properties": {f"p{each}": {"anyOf": [{}, {}]}}} for each in range(n)]},
    lambda n: {"oneOf": [{"enum": [f"{each}" * 5 for each in range(n)]}, {"const": "x" * n}]},
    lambda n: {"$ref": "#/a", "a": {"$ref": "#/b"}, "b": {"anyOf": [{"$ref": "#/a"}] * n}},
    lambda n: _nested({"type": "string"}, n),
    lambda n: {"type": "object", "additionalProperties": {"$ref": "#"}, "minProperties": n},
    lambda n: {"enum": [{"a" * each: each} for each in range(n)]},
    lambda n: {"anyOf": [{"type": "object", "required": [f"r{each}" for each in range(n)]}] * 9},
)
_GRAMMARS: tuple[Callable[[int], str], ...] = (
    lambda n: f'root ::= "a"{{1,{10**9 + n}}}',
    lambda n: f'root ::= (("a"{{1,{n}}}){{1,{n}}}){{1,{n}}}',
    lambda n: "root ::= root root | root",
    lambda n: "root ::= " + "(" * n + '"a"' + ")" * n,
    lambda n: "root ::= " + " | ".join(f'"{each}"' for each in range(n)),
    lambda n: "root ::= a0\n" + "\n".join(f"a{each} ::= a{each + 1} a{each + 1}" for each in range(n)),
    lambda n: "root ::= [" + "a-z" * n + "]+",
    lambda n: "root ::= ([a]* [a]*)" + "*" * (n % 5),
    lambda n: 'root ::= "' + "\\x" * n,
    lambda n: "root ::= nothing",
    lambda n: "\x00\ud800" * n,
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What is sent in turn, and whether the other side of the connection is then closed for writing."""

    kind: str
    pieces: tuple[bytes, ...]
    pause_s: float = 0.0
    is_closed: bool = False


def request(seed: int) -> Shape:
    rng = Random(seed)
    kind, make = rng.choice(_KINDS)
    return make(kind, rng)


def whole(body: bytes, *, path: str = CHAT, method: str = "POST") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode("utf-8", "surrogatepass") + body


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()


def _mutated(kind: str, rng: Random) -> Shape:
    body = _with_a_limit(mutate_json(encoded(rng.choice(_SOUND)), rng))
    return Shape(kind, (whole(body, path=rng.choice(_PATHS[:4])),))


def _with_a_limit(body: bytes) -> bytes:
    """A long reply is no attack, and the others wait for it: without a limit, or with a high one, it gets a low one."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(given, dict):
        return body
    limit = given.get("max_tokens")
    is_long = limit in (None, 0, -1) or (isinstance(limit, int) and limit > 100)
    return encoded({**given, "max_tokens": 4}) if is_long else body


def _bytes(kind: str, rng: Random) -> Shape:
    sound = whole(encoded(rng.choice(_SOUND)), path=rng.choice(_PATHS), method=rng.choice(("POST", "GET", "PUT", "X")))
    return Shape(kind, (mutate_bytes(sound, rng),), is_closed=True)


def _large(kind: str, rng: Random) -> Shape:
    size = rng.choice((300_000, 1_000_000, 4_000_000))
    text = rng.choice((" ", "a", "\n", "a b ", "é", "<|im_start|>", "\\", "{", "\u200d", "9"))
    text *= size // len(text)
    values: tuple[dict[str, Any], ...] = (
        {"messages": [{"role": "user", "content": text}]},
        {"prompt": text},
        {"messages": [{"role": "user", "content": "a"}] * 12_000},
        {"messages": [{"role": "user", "content": "a"}], "tools": [_TOOL] * 10_000},
        {"messages": [{"role": "user", "content": "a"}], "stop": [text[:900]] * 5000},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * 50_000}]},
        {"prompt": [1] * 300_000},
        {"prompt": [10**30, -1, 1.5]},
        {"messages": [{"role": "user", "content": "a"}], "logit_bias": {str(each): 1 for each in range(100_000)}},
        {"messages": [{"role": "user", "content": "a"}], text[:100_000]: 1},
        {"messages": [{"role": "user", "content": "a"}], "chat_template_kwargs": {"x": [[text[:50_000]]] * 9}},
    )
    body = rng.choice(values)
    return Shape(kind, (whole(encoded({"max_tokens": 2, **body}), path=COMPLETIONS if "prompt" in body else CHAT),))


def _deep(kind: str, rng: Random) -> Shape:
    depth = rng.choice((50, 101, 5000, 500_000))
    opening = rng.choice((b"[", b'{"a":'))
    body = opening * depth + b"1" + (b"]" if opening == b"[" else b"}") * depth
    return Shape(kind, (whole(rng.choice((body, body[: len(body) // 2], b'{"messages": ' + body + b"}"))),))


def _schema(kind: str, rng: Random) -> Shape:
    schema = rng.choice(_SCHEMAS)(rng.choice((2, 9, 40, 99, 1000, 20_000)))
    asked = {"messages": [{"role": "user", "content": "a"}], "max_tokens": 3, "stream": rng.random() < 0.5}
    if rng.random() < 0.3:
        tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
        return Shape(kind, (whole(encoded({**asked, "tools": [tool], "tool_choice": "required"})),))
    form = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    return Shape(kind, (whole(encoded({**asked, "response_format": form})),))


def _grammar(kind: str, rng: Random) -> Shape:
    grammar = rng.choice(_GRAMMARS)(rng.choice((1, 30, 400, 9000)))
    return Shape(kind, (whole(encoded({"prompt": "a", "max_tokens": 3, "grammar": grammar}), path=COMPLETIONS),))


def _http(kind: str, rng: Random) -> Shape:
    body = encoded(_SOUND[0])
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    length = f"Content-Length: {len(body)}\r\n".encode()
    chunk = f"{len(body):x}\r\n".encode() + body + b"\r\n"
    chunked = b"Transfer-Encoding: chunked\r\n"
    smuggled = b"GET /v1/models HTTP/1.1\r\nHost: evil\r\n\r\n"
    sent = rng.choice((
        head + length + chunked + b"\r\n" + b"0\r\n\r\n" + smuggled,
        head + length + length.replace(b": ", b": 1") + b"\r\n" + body,
        head + chunked + b"Transfer-Encoding: identity\r\n\r\n" + chunk,
        head + b"Transfer-Encoding: xchunked\r\n\r\n" + chunk,
        head + b"Transfer-Encoding : chunked\r\n\r\n" + chunk + b"0\r\n\r\n",
        head + chunked + b"\r\nffffffffffffffff\r\n" + body,
        head + chunked + b"\r\n-5\r\n" + body,
        head + chunked + b"\r\n" + b"1;" + b"x" * 60_000 + b"\r\na\r\n0\r\n\r\n",
        head + chunked + b"\r\n" + chunk + b"0\r\n" + b"Trailer: x\r\n" * 3000 + b"\r\n",
        head + b"Content-Length: -5\r\n\r\n" + body,
        head + b"Content-Length: \xc2\xb2\r\n\r\n" + body,
        head + b"Content-Length: 99999999999999999999\r\n\r\n" + body,
        head + b"Content-Length: 0x10\r\n\r\n" + body,
        head + b"Host: evil\r\n" + length + b"\r\n" + body,
        head + b"X: a\r\n b\r\n" + length + b"\r\n" + body,
        head + b"No colon\r\n" + length + b"\r\n" + body,
        head + b"X: \x00\x1b[2J\r\n" + length + b"\r\n" + body,
        head + b"Y: " + b"y" * 100_000 + b"\r\n\r\n",
        head + b"Z: z\r\n" * 20_000 + b"\r\n",
        b"POST /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /\x1b[2J\xff\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /v1/models\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://evil/v1/models HTTP/1.1\r\nHost: evil\r\n\r\n",
        b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /v1/models HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300),
        b"\r\n" * 10_000,
        head + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n\r\n",
        head + b"Expect: 100-continue\r\n" + length + b"\r\n" + body,
        (head + length + b"\r\n" + body) * 3,
        head + length + b"Content-Encoding: gzip\r\n\r\n" + body,
        b"",
    ))  # fmt: skip
    return Shape(kind, (sent,), is_closed=True)


def _slow(kind: str, rng: Random) -> Shape:
    """In pieces, and broken off somewhere."""
    sound = whole(encoded(rng.choice(_SOUND)))
    cut = sound[: rng.randrange(len(sound) + 1)]
    step = max(1, len(cut) // rng.choice((2, 5, 9)))
    return Shape(kind, tuple(cut[at : at + step] for at in range(0, len(cut), step)), pause_s=0.02, is_closed=True)


def _nested(inner: Any, depth: int) -> Any:
    for _ in range(min(depth, 400)):  # json.dumps goes no deeper than Python does
        inner = {"type": "object", "properties": {"a": inner}, "required": ["a"]}
    return inner


_KINDS: tuple[tuple[str, Callable[[str, Random], Shape]], ...] = (
    *(("mutated", _mutated),) * 6,
    *(("bytes", _bytes),) * 3,
    *(("http", _http),) * 4,
    *(("schema", _schema),) * 3,
    *(("grammar", _grammar),) * 2,
    *(("slow", _slow),) * 1,
    ("large", _large),
    ("deep", _deep),
)
