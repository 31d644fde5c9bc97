"""Makes hostile answers of a hub's proper ones: values, bytes, headers and the pace of them, by a seed."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

_BAD_TEXTS = (
    "../../../../tmp/owned",
    "/tmp/owned",
    "..",
    ".",
    "",
    "a//b",
    "a/../../b.gguf",
    "a\\..\\b.gguf",
    "C:/owned.gguf",
    "nul\x00.gguf",
    "\x1b]0;owned\x07\x1b[2J.gguf",
    "\x9b31m",
    "right\u202eleft",
    "\ud800",
    "line\nbreak\r",
    "x" * 300 + ".gguf",
    "é" * 200 + ".gguf",
    "y/" * 800 + "z.gguf",
    "models--a--b",
    "a--b/c",
    "%2e%2e%2f",
    "~/.bashrc",
    "²",
    "\ufeff\u200b",
    "0" * 40,
    "g" * 64,
    "{}{0}%s%n",
)
_BAD_VALUES: tuple[Any, ...] = (
    *_BAD_TEXTS,
    None,
    True,
    0,
    -1,
    1.5,
    10**19,
    10**400,
    -(10**30),
    1e308,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    ["../x"] * 50,
    {"../x": 1},
    {"": None},
)
_BAD_HEADERS = (
    *(
        ("Retry-After", value)
        for value in ("²", "-1", "1e9", "9" * 400, "Wed, 99 Foo 20x6", "Sun, 06 Nov 1994 08:49:37 GMT")
    ),
    *(("RateLimit", value) for value in ('"api";r=0;t=' + "9" * 5000, '"api";r=²;t=0', '"a";r=0;t=0')),
    *(("Content-Range", value) for value in ("bytes 5-9/10", "bytes */*", "bytes -", "²", "bytes " + "9" * 400 + "-")),
    *(("Content-Encoding", value) for value in ("gzip", "br", "zstd", "gzip, gzip", "\x1b[2J", "deflate")),
    *(
        ("Location", value)
        for value in ("../../../x", "file:///etc/passwd", "http://[", "http://127.0.0.1:9/", "/", "//")
    ),
    *(("Content-Length", value) for value in ("0", "1", "99999999999", "-5", "²")),
    ("X-Error-Message", "\x1b]0;owned\x07 Invalid"),
    ("X-Error-Code", "GatedRepo\x1b[2J"),
    ("ETag", '"../../owned"'),
    ("Set-Cookie", "a=" + "b" * 4000),
    ("Link", '<http://127.0.0.1:9/>; rel="next"'),
    ("Transfer-Encoding", "chunked"),
    ("X-Long", "x" * 70_000),
)
_STATUSES = (100, 101, 200, 204, 206, 301, 302, 304, 307, 400, 401, 403, 404, 408, 416, 418, 429, 500, 503, 599, 999)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def encoded(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Said", *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join((*lines, "", "")).encode("utf-8", "surrogatepass") + self.body

    def with_header(self, name: str, value: str) -> "Reply":
        others = tuple(each for each in self.headers if each[0].lower() != name.lower())
        return replace(self, headers=(*others, (name, value)))

    def with_body(self, body: bytes) -> "Reply":
        return replace(self, body=body).with_header("Content-Length", str(len(body)))


def parsed(whole: bytes) -> Reply:
    head, _, body = whole.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    return Reply(int(first.split()[1]), headers, body)


def spoil(seed: int) -> Callable[[str, bytes], Iterator[bytes]]:
    """The same for one seed. About every third answer stays proper, so that later ones are reached, too."""
    random = Random(seed)
    kinds = random.sample(_KINDS, random.randint(1, 3))

    def spoilt(path: str, whole: bytes) -> Iterator[bytes]:
        if random.random() < 0.3:
            yield whole
        else:
            yield from random.choice(kinds)(random, parsed(whole))

    return spoilt


def hostile_json(random: Random, data: bytes) -> bytes:
    value = json.loads(data)
    for _ in range(random.randint(1, 3)):
        value = _changed(random, value)
    return json.dumps(value).encode()


def hostile_bytes(random: Random, data: bytes, *, within: int) -> bytes:
    """Some of the first bytes are others, often such that a number becomes huge."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 12)):
        changed[random.randrange(min(within, len(changed)))] = random.choice(
            (0, 1, 127, 128, 255, random.randrange(256))
        )
    return bytes(changed)


def _values(random: Random, reply: Reply) -> Iterator[bytes]:
    try:
        value = json.loads(reply.body)
    except ValueError:
        yield from _bytes(random, reply)
        return
    for _ in range(random.randint(1, 3)):
        value = _changed(random, value)
    yield reply.with_body(json.dumps(value).encode()).encoded()


def _changed(random: Random, value: Any) -> Any:
    """One spot of it, at a random depth, replaced, left out, or repeated."""
    if isinstance(value, dict) and value and random.random() < 0.85:
        key = random.choice(list(value))
        if random.random() < 0.15:
            return {name: each for name, each in value.items() if name != key}
        return {**value, key: _changed(random, value[key])}
    if isinstance(value, list) and value and random.random() < 0.85:
        at = random.randrange(len(value))
        return [*value[:at], _changed(random, value[at]), *value[at:][random.randint(0, 1) :]]
    return random.choice(_BAD_VALUES)


def _bytes(random: Random, reply: Reply) -> Iterator[bytes]:
    body = bytearray(reply.body)
    for _ in range(random.randint(1, 20)):
        if body:
            body[random.randrange(len(body))] = random.randrange(256)
    cut = random.randint(0, len(body)) if random.random() < 0.3 else len(body)
    yield reply.with_body(bytes(body[:cut])).encoded()


def _nonsense(random: Random, reply: Reply) -> Iterator[bytes]:
    bodies = (
        b"",
        b"<html>Please log in</html>",
        b"[" * 100_000,
        b'{"id":' * 50_000,
        b"\xff\xfe\x00",
        b"\xef\xbb\xbf" + reply.body,
        b"null",
        b"[]",
        b"{}",
        b"1e999",
        b'"' + b"a" * 3_000_000,
        b'[{"id": "a/b", "id": 5}]',
    )
    yield replace(reply.with_body(random.choice(bodies)), status=200).encoded()


def _headers(random: Random, reply: Reply) -> Iterator[bytes]:
    for _ in range(random.randint(1, 3)):
        reply = reply.with_header(*random.choice(_BAD_HEADERS))
    yield reply.encoded()


def _status(random: Random, reply: Reply) -> Iterator[bytes]:
    reply = replace(reply, status=random.choice(_STATUSES))
    yield reply.with_header(*random.choice(_BAD_HEADERS)).encoded()


def _bomb(random: Random, reply: Reply) -> Iterator[bytes]:
    """200 MB in 200 kB."""
    yield reply.with_body(gzip.compress(b" " * (200 << 20), 1)).with_header("Content-Encoding", "gzip").encoded()


def _endless(random: Random, reply: Reply) -> Iterator[bytes]:
    if random.random() < 0.5:  # neither a length nor an end
        reply = replace(reply, headers=tuple(each for each in reply.headers if each[0] != "Content-Length"))
    yield reply.encoded()
    end = time.monotonic() + 20
    while time.monotonic() < end:
        yield b" " * 65536


def _dripping(random: Random, reply: Reply) -> Iterator[bytes]:
    whole = reply.encoded()
    at = random.randrange(len(whole))
    yield whole[:at]
    for byte in whole[at : at + 60]:
        time.sleep(0.4)
        yield bytes((byte,))


def _cut(random: Random, reply: Reply) -> Iterator[bytes]:
    whole = reply.encoded()
    yield whole[: random.randrange(len(whole))]


def _garbage(random: Random, reply: Reply) -> Iterator[bytes]:
    yield random.choice((b"", b"\x00" * 100, b"HTTP/1.1 \r\n\r\n", b"HTTP/9.9 200 OK\r\n\r\n", random.randbytes(500)))


_OFTEN, _SELDOM = (_values, _headers), (_bytes, _nonsense, _status, _bomb, _endless, _dripping, _cut, _garbage)
_KINDS = (*_OFTEN * 3, *_SELDOM)
