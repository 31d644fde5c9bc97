"""What a tokenizer does beyond llama.cpp is written into the file, said to the user, or refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from converters.config import Config
from converters.errors import UnsupportedModel
from converters.vocab import read_vocabulary
from converters.vocabulary import Vocabulary
from tests.converters.tokenizer import write_tokenizer

KEY = "sparkdesk.tokenizer.normalizer"


def vocabulary(folder: Path, generation: dict[str, Any] | None = None, **changes: Any) -> Vocabulary:
    write_tokenizer(folder)
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    return read_vocabulary(folder, Config({"vocab_size": 640}, "config.json"))


@pytest.mark.parametrize(
    ("normalizer", "form"),
    [
        ({"type": "NFC"}, "NFC"),
        (None, "none"),
        ({"type": "Sequence", "normalizers": []}, "none"),
        ({"type": "Sequence", "normalizers": [{"type": "NFKC"}]}, "NFKC"),
    ],
)
def test_the_normal_form_of_text_is_kept_in_the_file(tmp_path: Path, normalizer: object, form: str) -> None:
    entries = {entry.key: entry.value for entry in vocabulary(tmp_path, normalizer=normalizer).entries()}
    assert entries[KEY] == form


@pytest.mark.parametrize(
    "normalizer", [{"type": "Lowercase"}, {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Strip"}]}]
)
def test_other_normalizers_are_refused_by_name(tmp_path: Path, normalizer: object) -> None:
    with pytest.raises(UnsupportedModel, match=r"Lowercase|Strip"):
        vocabulary(tmp_path, normalizer=normalizer)


@pytest.mark.parametrize("rule", ["lstrip", "rstrip", "single_word"])
def test_rules_that_are_dropped_are_said(tmp_path: Path, rule: str) -> None:
    assert vocabulary(tmp_path).notice == ""
    tokens = json.loads((tmp_path / "tokenizer.json").read_text())["added_tokens"]
    for token in tokens[:5]:
        token[rule] = True
    notice = vocabulary(tmp_path, added_tokens=tokens).notice
    assert f"{rule} of <|endoftext|> <|im_start|> <|im_end|> and 2 more" in notice


def test_an_end_whose_name_says_so_but_whose_type_does_not_is_named(tmp_path: Path) -> None:
    """`</s>` that the checkpoint ends replies with, as an ordinary token: its name is not enough."""
    write_tokenizer(tmp_path)
    tokens = json.loads((tmp_path / "tokenizer.json").read_text())["added_tokens"]
    number = 1 + max(token["id"] for token in tokens)
    tokens.append({**tokens[-1], "id": number, "content": "</s>", "special": False})
    ends = dict(vocabulary(tmp_path, {"eos_token_id": [number]}, added_tokens=tokens).special_ids)
    assert ends["tokenizer.ggml.eot_token_id"] == number
