"""`sparkdesk export`: what it prints can be pasted into a shell, and says what another engine wants."""

import json
import shlex
from pathlib import Path

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.cli.app import run
from sparkdesk.config.paths import HOME_VARIABLE

SGLANG_BLOCK = "--speculative-dspark-block-size"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "desk"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HOME", str(tmp_path))


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[list[str], str]:
    assert run(["export", *arguments]) == 0
    out, said = capsys.readouterr()
    return shlex.split(out), said


def test_vllm_is_told_of_the_draft_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    words, said = printed(capsys, "vllm", "qwen3-8b", "--ctx", "8192", "--port", "9000")
    assert words[:3] == ["vllm", "serve", "Qwen/Qwen3-8B"]
    speculation = json.loads(words[words.index("--speculative-config") + 1])
    assert speculation["method"] == "dspark" and speculation["num_speculative_tokens"] == 7
    assert speculation["model"] == "deepseek-ai/dspark_qwen3_8b_block7"
    assert words[-6:] == ["--host", "127.0.0.1", "--port", "9000", "--max-model-len", "8192"]
    assert "not GGUF" in said


def test_sglang_has_options_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    words, said = printed(capsys, "sglang", "gemma-4-12b-it", "--draft-length", "4")
    assert words[words.index("--speculative-algorithm") + 1] == "DSPARK"
    assert words[words.index("--speculative-dspark-block-size") + 1] == "4"
    assert words[words.index("--model-path") + 1] == "google/gemma-4-12B-it" and "Gemma 4" in said


def test_llama_server_takes_our_files(synthetic_pair: SyntheticPair, capsys: pytest.CaptureFixture[str]) -> None:
    files = ("--target", str(synthetic_pair.target), "--draft", str(synthetic_pair.draft))
    words, _ = printed(capsys, "llama-server", *files)
    assert words[words.index("--model") + 1] == str(synthetic_pair.target)
    assert words[words.index("--spec-type") + 1] == "draft-dspark"
    assert words[words.index("--spec-draft-model") + 1] == str(synthetic_pair.draft)
    assert words[words.index("--spec-draft-n-max") + 1] == "7" and "--port" not in words


@pytest.mark.parametrize("config", [{"block_size": 5}, {"dflash_config": {"block_size": 5}}])
@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_the_block_size_is_that_of_the_drafts_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], config: dict[str, object], engine: str
) -> None:
    draft = tmp_path / "my-draft"
    draft.mkdir()
    (draft / "config.json").write_text(json.dumps(config))
    words, _ = printed(capsys, engine, "--target", str(tmp_path), "--draft", str(draft))
    assert '"num_speculative_tokens":5' in words[4] if engine == "vllm" else words[words.index(SGLANG_BLOCK) + 1] == "5"
    assert run(["export", engine, "--target", str(tmp_path), "--draft", str(draft), "--draft-length", "6"]) == 2


@pytest.mark.parametrize(
    "config", [None, "[]", "{", '{"block_size": "5"}', '{"block_size": -1}', '{"dflash_config": 5}']
)
def test_a_block_size_is_never_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str], config: str | None) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    files = ("--target", "Owner/target", "--draft", str(tmp_path))
    assert run(["export", "vllm", *files]) == 2
    assert "--draft-length" in capsys.readouterr().err
    words, _ = printed(capsys, "vllm", *files, "--draft-length", "3")
    assert '"num_speculative_tokens":3' in words[4]


def test_a_name_with_spaces_survives_the_shell(capsys: pytest.CaptureFixture[str]) -> None:
    words, _ = printed(capsys, "vllm", "--target", "/my models/it's", "--draft", "Owner/draft-block5")
    assert words[2] == "/my models/it's"
    assert json.loads(words[words.index("--speculative-config") + 1])["num_speculative_tokens"] == 5


def test_json_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "sglang", "qwen3-4b", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["engine"] == "sglang" and told["words"][0] == "python3" and told["notes"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("vllm",), "Which pair"),
        (("vllm", "nothing-like-it"), "no pair called"),
        (("vllm", "--target", "a.gguf", "--draft", "b"), "GGUF file"),
        (("llama-server", "qwen3-8b"), "sparkdesk build qwen3-8b"),
        (("llama-server", "--target", "missing.gguf", "--draft", "missing.gguf"), "missing.gguf"),
        (("vllm", "qwen3-8b", "--draft-length", "9"), "at most 7"),
        (("vllm", "qwen3-8b", "--port", "70000"), "maximum of"),
        (("ollama", "qwen3-8b"), "ollama"),
    ],
)
def test_what_cannot_be_said_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert run(["export", *arguments]) != 0
    out, said = capsys.readouterr()
    assert not out and words in said
