"""Keys, names, web pages, and connections that only take up room."""

import contextlib
import socket

import httpx
import pytest

from sparkdesk.server.web import body, serving
from sparkdesk.server.web.security import Policy, host_name, host_names, is_loopback
from tests.scripted_engine import ScriptedEngine
from tests.server.served import Served, served

ASK = {"messages": [{"role": "user", "content": "Hi"}]}
KEYED = Policy(api_key="clé-secret")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost:8080", "localhost"),
        ("LocalHost", "localhost"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]:80", "::1"),
        ("::1", "::1"),
        ("", ""),
    ],
)
def test_names_lose_their_port(header: str, name: str) -> None:
    assert host_name(header) == name


def test_only_this_machine_is_loopback() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.9.9.9", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.2", "example.org")))


@pytest.mark.parametrize(
    ("policy", "known", "strange"),
    [
        (
            Policy(),
            ["localhost:1", "127.0.0.1", "[::1]:1"],
            ["evil.example", "192.168.1.2", "", "localhost.evil.example"],
        ),
        (Policy(allowed_hosts=host_names(["My-Box:8080"])), ["my-box:9"], ["other-box"]),
        (Policy("0.0.0.0"), ["192.168.1.2:8080", "[fe80::1]:1", "localhost"], ["evil.example", ""]),
        (Policy("box.lan"), ["box.lan:8080", "10.0.0.1"], ["evil.example"]),
    ],
)
def test_a_strange_name_is_a_web_page_that_pretends(policy: Policy, known: list[str], strange: list[str]) -> None:
    """DNS rebinding: the page's own name points at us, and the browser takes us for the page's server."""
    assert all(map(policy.is_known_host, known))
    assert not any(map(policy.is_known_host, strange))


@pytest.mark.parametrize(
    ("header", "is_right"),
    [
        ("Bearer clé-secret", True),
        ("bearer clé-secret", True),
        ("Bearer clé-secre", False),
        ("Bearer ", False),
        ("", False),
        ("Basic clé-secret", False),
        ("clé-secret", False),
    ],
)
def test_only_the_key_opens(header: str, is_right: bool) -> None:
    assert KEYED.is_key(header) is is_right
    assert Policy().is_key(header), "without a key everyone is welcome"


def test_every_path_but_health_needs_the_key(engine: ScriptedEngine) -> None:
    with served(engine, policy=Policy(api_key="k")) as server, httpx.Client(base_url=server.url) as http:
        assert http.get("/health").status_code == 200
        for path in ("/v1/models", "/metrics", "/", "/v1/chat/completions"):
            refused = http.get(path)
            assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"
            assert refused.json()["error"]["code"] == "invalid_api_key"
        right = {"Authorization": "Bearer k"}
        assert http.post("/v1/chat/completions", json=ASK, headers=right).status_code == 200
        assert http.get("/metrics", headers=right).status_code == 200
        assert not any("k" in line.split()[1:2] for line in server.log)


def test_a_strange_host_is_turned_away_before_anything_else(server: Served, http: httpx.Client) -> None:
    refused = http.get("/health", headers={"Host": "evil.example"})
    assert refused.status_code == 403 and refused.json()["error"]["type"] == "permission_error"
    assert http.get("/health", headers={"Host": "localhost:1"}).status_code == 200


def test_web_pages_may_not_ask_unless_they_are_named(engine: ScriptedEngine) -> None:
    page = {"Origin": "https://page.example"}
    with served(engine) as server, httpx.Client(base_url=server.url) as http:
        refused = http.post("/v1/chat/completions", json=ASK, headers=page)
        assert refused.status_code == 403 and refused.json()["error"]["code"] == "origin"
        assert "access-control-allow-origin" not in refused.headers
        assert not engine.prompts
        assert http.get("/health", headers={"Origin": server.url}).status_code == 200, "its own page is welcome"
    policy = Policy(api_key="k", cors_origins=("https://page.example",))
    with served(engine, policy=policy) as server, httpx.Client(base_url=server.url) as http:
        asks_first = {
            **page,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        answer = http.options("/v1/chat/completions", headers=asks_first)
        assert answer.status_code == 200 and answer.headers["access-control-allow-origin"] == "https://page.example"
        allowed = http.post("/v1/chat/completions", json=ASK, headers={**page, "Authorization": "Bearer k"})
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == "https://page.example"
        assert http.get("/health", headers={"Origin": "https://other.example"}).status_code == 403


def raw(server: Served) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def test_headers_without_end_are_cut_off(server: Served) -> None:
    with raw(server) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000)
        assert client.recv(100).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("is_second", [False, True])
@pytest.mark.parametrize("beginning", [b"", b"GET /health HTTP/1.1\r\nHos"])
def test_a_request_that_never_comes_is_not_waited_for(
    server: Served, monkeypatch: pytest.MonkeyPatch, beginning: bytes, is_second: bool
) -> None:
    monkeypatch.setattr(serving, "HEADER_SECONDS", 0.3)
    monkeypatch.setattr(serving, "KEEP_ALIVE_SECONDS", 1)
    with raw(server) as client:
        if is_second:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
        client.sendall(beginning)
        with contextlib.suppress(ConnectionError):
            while client.recv(4096):
                pass


def test_a_body_that_never_comes_is_not_waited_for(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "BODY_SECONDS", 0.3)
    with raw(server) as client:
        client.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        assert client.recv(4096).startswith(b"HTTP/1.1 408")


def test_what_is_no_http_is_refused(server: Served) -> None:
    with raw(server) as client:
        client.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")
    assert httpx.get(f"{server.url}/health").status_code == 200
