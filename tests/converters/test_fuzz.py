"""Broken files of every kind are read or refused; and what once got through, by the words it got through with."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from converters import ConversionError, convert_target
from converters.gguf_target import GgufTarget
from sparkdesk.errors import ModelLoadError
from sparkdesk.gguf.header import read_gguf
from tests.converters.checkpoints import make_target, split_into_shards

if sys.platform == "win32":
    pytest.skip("the fuzzer limits memory as Unix does", allow_module_level=True)

from tests.converters.fuzz import Subject, subjects, trial

NAMES = (
    "safetensors", "config", "tokenizer", "tokenizer_config", "index", "draft_config", "gguf_target", "gguf_file"
)  # fmt: skip
SEEDS = range(40)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Subject]]:
    found = subjects(tmp_path_factory.mktemp("fuzz"))
    assert tuple(found) == NAMES
    yield found


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_file_is_read_or_refused(sound: Mapping[str, Subject], name: str) -> None:
    for seed in SEEDS:
        trial(sound[name], seed)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("config.json", {"rms_norm_eps": 10**400}, "'rms_norm_eps' should be a number"),
        ("config.json", {"rope_theta": 1e308}, "'rope_theta' should be a number"),
        ("config.json", {"rope_theta": float("nan")}, "'rope_theta' should be a number"),
        ("config.json", {"vocab_size": 2**31 - 1}, "more than any tokenizer"),
        ("config.json", {"architectures": ["\x1b[2J\n"]}, r"^\\x1b\[2J\\n is not an architecture"),
        ("tokenizer_config.json", {"chat_template": "\ud800"}, "not valid JSON"),
        ("tokenizer.json", {"added_tokens": 0.5}, "'added_tokens' should be a list"),
        ("tokenizer.json", {"pre_tokenizer": {"pretokenizers": 0.5}}, "'pretokenizers' should be a list"),
        ("tokenizer.json", {"pre_tokenizer": {"pretokenizers": [{"pattern": "x"}]}}, "splits text by a rule"),
        ("tokenizer.json", {"pre_tokenizer": {"pretokenizers": [{"pattern": {"Regex": []}}]}}, "splits text by a rule"),
        ("model.safetensors.index.json", {"weight_map": "\ud800"}, "not valid JSON"),
        ("model.safetensors.index.json", {"weight_map": {"x": "a\0b"}}, "."),
    ],
)
def test_what_the_fuzzer_found_is_refused(tmp_path: Path, file: str, change: dict[str, Any], message: str) -> None:
    made = make_target(tmp_path / "target", tied=True)
    split_into_shards(made, 2)
    path = made.folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ConversionError, match=message) as caught:
        list(convert_target(made.folder, tmp_path / "out.gguf", output_type="F16"))
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("merges", [[], [["a", 1]], [0.5], [["a"]], [["a", "b", "c"]], [{}]])
def test_merges_that_are_no_pairs_are_refused(tmp_path: Path, merges: list[Any]) -> None:
    made = make_target(tmp_path / "target", tied=True)
    path = made.folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["model"]["merges"] = merges
    path.write_text(json.dumps(tokenizer))
    with pytest.raises(ConversionError, match="'merges' should be a list of pairs"):
        list(convert_target(made.folder, tmp_path / "out.gguf", output_type="F16"))


def test_a_tensor_beyond_all_addresses_is_refused(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=True)
    path = tmp_path / "target.gguf"
    list(convert_target(made.folder, path, output_type="F16"))
    content = path.read_bytes()
    name = b"token_embd.weight"
    offset_at = content.index(name) + len(name) + 4 + 2 * 8 + 4  # dimension count, dimensions, type
    path.write_bytes(content[:offset_at] + b"\xff" * 8 + content[offset_at + 8 :])
    with pytest.raises(ConversionError, match="not a GGUF file this converter can read"):
        GgufTarget(path).embedding_rows([0])
    with pytest.raises(ModelLoadError, match="cut short"):
        read_gguf(path)


def test_an_error_never_becomes_a_page(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=True)
    path = made.folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"architectures": ["X" * 100_000]}))
    with pytest.raises(ConversionError, match=r"^X+\.\.\.\.$") as caught:
        list(convert_target(made.folder, tmp_path / "out.gguf", output_type="F16"))
    assert len(caught.value.message) <= 600
