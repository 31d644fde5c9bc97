"""A search shows what can be run, and nothing else."""

import json

import pytest

from tests.hub.pulling import Puller
from tests.hub.server import Fault, Hub


@pytest.fixture
def crowded(hub: Hub) -> Hub:
    hub.add("Qwen/Qwen3-8B-GGUF", {}, tags=("gguf",), architecture="qwen3", downloads=50)
    hub.add("Else/Qwen3-8B-Llama-GGUF", {}, tags=("gguf",), architecture="llama", downloads=99)
    hub.add("Qwen/Qwen3-8B", {}, tags=("safetensors",), config={"architectures": ["Qwen3ForCausalLM"]})
    hub.add("deepseek-ai/dspark_qwen3_8b_block7", {}, tags=("safetensors",), downloads=70, gated=True)
    hub.add("Some/Other-DSpark", {}, downloads=80)
    return hub


def test_targets_and_drafts_are_found_the_most_wanted_first(puller: Puller, crowded: Hub) -> None:
    done = puller.run("search", "qwen3", "--json")
    found = json.loads(done.stdout)
    assert [(hit["role"], hit["repository"]) for hit in found["models"]] == [
        ("draft", "deepseek-ai/dspark_qwen3_8b_block7"),
        ("target", "Qwen/Qwen3-8B-GGUF"),
    ]
    assert "qwen3-8b" in [pair["name"] for pair in found["pairs"]]


def test_in_words_every_line_is_one_model(puller: Puller, crowded: Hub) -> None:
    done = puller.run("search", "qwen3-8b-gguf")
    assert done.stdout == "target  Qwen/Qwen3-8B-GGUF  50 downloads  GGUF\n"
    assert "gated" in puller.run("search", "qwen3_8b").stdout


def test_nothing_found_is_said_beside_the_answer(puller: Puller, crowded: Hub) -> None:
    done = puller.run("search", "nosuchthing")
    assert (done.returncode, done.stdout) == (0, "") and "nosuchthing" in done.stderr


def test_a_refusal_is_one_sentence(puller: Puller, crowded: Hub) -> None:
    crowded.fail("api", Fault(status=401, headers={"X-Error-Message": "Invalid credentials in Authorization header"}))
    done = puller.run("search", "qwen3")
    assert (done.returncode, done.stdout) == (5, "") and "token" in done.stderr
