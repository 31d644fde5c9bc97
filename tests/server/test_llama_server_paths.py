"""Paths that llama-server has too."""

import threading

import httpx
import pytest

from tests.scripted_engine import ScriptedEngine
from tests.server.served import Served


def test_text_becomes_tokens_and_text_again(http: httpx.Client) -> None:
    text = "Grüße, <|im_end|>!"
    tokens = http.post("/tokenize", json={"content": text}).json()["tokens"]
    assert len(tokens) == len("Grüße, ") + 1 + 1
    assert http.post("/detokenize", json={"tokens": tokens}).json() == {"content": text}
    plain = http.post("/tokenize", json={"content": text, "parse_special": False}).json()["tokens"]
    assert plain == list(map(ord, text))


def test_the_beginning_of_a_text_is_marked_where_it_is_asked_for(engine: ScriptedEngine, http: httpx.Client) -> None:
    engine.adds_bos = True
    marked = http.post("/tokenize", json={"content": "ab", "add_special": True}).json()["tokens"]
    assert http.post("/tokenize", json={"content": "ab"}).json()["tokens"] == marked[1:] == [97, 98]


def test_pieces_come_with_their_tokens(engine: ScriptedEngine, http: httpx.Client) -> None:
    body = {"content": "a<|im_end|>", "with_pieces": True}
    told = http.post("/tokenize", json=body).json()["tokens"]
    assert [each["piece"] for each in told] == ["a", "<|im_end|>"] and told[0]["id"] == 97


@pytest.mark.parametrize("tokens", [[-1], [10**9], [1.5], ["a"], [True], [[1]], {}, "a"])
def test_what_is_no_token_never_reaches_the_engine(http: httpx.Client, tokens: object) -> None:
    response = http.post("/detokenize", json={"tokens": tokens})
    assert response.status_code == 400 and response.json()["error"]["param"] == "tokens"


def test_a_slot_tells_what_is_being_done_without_what_is_said(
    server: Served, engine: ScriptedEngine, http: httpx.Client
) -> None:
    (idle,) = http.get("/slots").json()
    assert idle["is_processing"] is False and idle["n_ctx"] == 200_000 and idle["speculative"] is True
    engine.gate.clear()
    body = {"prompt": "secret", "max_tokens": 7, "temperature": 0.25}
    asking = threading.Thread(target=lambda: httpx.post(f"{server.url}/v1/completions", json=body, timeout=30))
    asking.start()
    while not (slots := http.get("/slots")).json()[0]["is_processing"]:
        pass
    engine.gate.set()
    asking.join()
    slot = slots.json()[0]
    assert slot["n_prompt_tokens"] == 6 and slot["params"]["n_predict"] == 7 and slot["params"]["temperature"] == 0.25
    assert "secret" not in slots.text


def test_embeddings_are_refused_by_name(http: httpx.Client) -> None:
    response = http.post("/v1/embeddings", json={"model": "scripted", "input": "Hi"})
    assert response.status_code == 400 and "Scripted writes text and makes no embeddings" in response.text
