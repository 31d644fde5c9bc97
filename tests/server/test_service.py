"""The server as a service: HTTPS, and a model that is unloaded while nobody asks."""

import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from sparkdesk.errors import ModelLoadError, UsageError
from sparkdesk.server.web.serving import Tls
from tests.server.served import MODEL, served, server_engine

CHAT = "/v1/chat/completions"
ASK = {"messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, which makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    tls = Tls(str(folder / "cert.pem"), str(folder / "key.pem"))
    usual = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    made = ["openssl", *usual.split(), "-keyout", tls.key, "-out", tls.certificate]
    subprocess.run(made, check=True, capture_output=True)
    return tls


def test_https(certificate: Tls) -> None:
    with served(server_engine("Hello, world."), tls=certificate) as server:
        assert server.url.startswith("https://")
        trusting = ssl.create_default_context(cafile=certificate.certificate)
        with httpx.Client(base_url=server.url, verify=trusting) as http:
            assert http.post(CHAT, json=ASK).json()["choices"][0]["message"]["content"] == "Hello, world."
            assert http.post(CHAT, json={**ASK, "stream": True}).text.endswith("data: [DONE]\n\n")
        with pytest.raises(httpx.TransportError):
            httpx.get(server.url.replace("https", "http") + "/health")


def test_files_that_do_not_belong_together_are_refused_beforehand(certificate: Tls, tmp_path: Path) -> None:
    certificate.check()
    locked = tmp_path / "locked.pem"
    subprocess.run(
        ["openssl", "rsa", "-aes256", "-passout", "pass:x", "-in", certificate.key, "-out", str(locked)],
        check=True,
        capture_output=True,
    )
    for wrong in (
        Tls(certificate.key, certificate.key),
        Tls(certificate.certificate, certificate.certificate),
        Tls(certificate.certificate, str(locked)),
        Tls(str(tmp_path), certificate.key),
    ):
        with pytest.raises(UsageError, match="HTTPS is not possible"):
            wrong.check()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline, "it does not come to it"
        time.sleep(0.01)


def test_a_model_nobody_asks_is_unloaded_and_loaded_again_for_the_next_request() -> None:
    engine = server_engine("Hello, world.")
    loads: list[float] = []

    def load() -> None:
        loads.append(time.monotonic())
        engine.reload()
        engine.model = MODEL

    with served(engine, idle_unload_s=0.3, reload=load) as server, httpx.Client(base_url=server.url) as http:
        assert http.get("/health").json()["status"] == "ok"
        until(lambda: not engine.is_alive)
        told = http.get("/health")
        assert told.status_code == 200 and told.json()["status"] == "unloaded"
        assert http.get("/v1/models").json()["data"][0]["meta"]["context_tokens"] == MODEL.context_tokens
        assert http.get("/slots").json()[0]["n_ctx"] == MODEL.context_tokens and not loads
        replies: list[int] = []

        def ask() -> None:
            replies.append(httpx.post(server.url + CHAT, json=ASK, timeout=30).status_code)

        asking = [threading.Thread(target=ask) for _ in range(5)]
        for each in asking:
            each.start()
        for each in asking:
            each.join()
        assert replies == [200] * 5 and len(loads) == 1
        assert server.dispatcher.gauges.reloads == 0, "nothing had died"
        until(lambda: not engine.is_alive)
        assert http.post("/tokenize", json={"content": "ab"}).json() == {"tokens": [97, 98]} and len(loads) == 2


def test_a_model_in_use_is_not_unloaded() -> None:
    engine = server_engine("Hello, world.")
    with served(engine, idle_unload_s=0.2) as server:
        engine.gate.clear()
        asking = threading.Thread(target=lambda: httpx.post(server.url + CHAT, json=ASK, timeout=30))
        asking.start()
        until(lambda: engine.running == 1)
        time.sleep(1.0)
        assert engine.is_alive and server.dispatcher.state == "ready"
        engine.gate.set()
        asking.join()


def test_a_model_that_cannot_be_loaded_again_is_tried_again_by_the_next_request() -> None:
    engine = server_engine("Hello, world.")
    tries: list[int] = []

    def load() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ModelLoadError("There is too little memory.", "Wait.")
        engine.reload()
        engine.model = MODEL

    with served(engine, idle_unload_s=0.2, reload=load) as server, httpx.Client(base_url=server.url) as http:
        until(lambda: not engine.is_alive)
        refused = http.post(CHAT, json=ASK)
        assert refused.status_code == 503 and "too little memory" in refused.text and "retry-after" in refused.headers
        assert http.post(CHAT, json=ASK).status_code == 200 and len(tries) == 2


def test_a_server_whose_model_is_unloaded_ends_in_good_order() -> None:
    engine = server_engine("Hello, world.")
    with served(engine, idle_unload_s=0.2):
        until(lambda: not engine.is_alive)
