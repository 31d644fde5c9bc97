"""The bundled pair: every file in its place, small enough to ship, and target and draft made for each other."""

import json
from pathlib import Path
from random import Random

import pytest

from sparkdesk.demo import bundled
from sparkdesk.demo.chat_format import CHAT_TEMPLATE, MASK, SPECIAL_TOKENS, TURN_END, question_text
from sparkdesk.demo.corpus.dialogue import training_exercise

SIZE_LIMIT_BYTES = 25_000_000


def config_of(folder: Path) -> dict[str, object]:
    read: dict[str, object] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return read


def header_of(folder: Path) -> dict[str, dict[str, object]]:
    """The tensor table of a safetensors file: eight bytes of length, then JSON."""
    with (folder / "model.safetensors").open("rb") as file:
        table: dict[str, dict[str, object]] = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    table.pop("__metadata__", None)
    return table


def tensor_bytes(folder: Path, name: str) -> bytes:
    with (folder / "model.safetensors").open("rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        offsets = header_of(folder)[name]["data_offsets"]
        assert isinstance(offsets, list)
        file.seek(start + offsets[0])
        return file.read(offsets[1] - offsets[0])


def test_every_file_is_there_and_can_be_read_by_anyone() -> None:
    target = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    files = [bundled.target_folder() / name for name in target]
    files += [bundled.draft_folder() / name for name in ("config.json", "model.safetensors")]
    files.append(bundled.target_folder().parent / "README.md")
    assert bundled.is_present()
    for file in files:
        assert file.stat().st_mode & 0o044 == 0o044, file


def test_the_pair_is_small_enough_to_ship() -> None:
    size_bytes = sum(file.stat().st_size for file in bundled.target_folder().parent.rglob("*") if file.is_file())
    assert size_bytes <= SIZE_LIMIT_BYTES


@pytest.mark.parametrize("folder", [bundled.target_folder(), bundled.draft_folder()])
def test_weights_are_bf16(folder: Path) -> None:
    assert {entry["dtype"] for entry in header_of(folder).values()} == {"BF16"}


def test_the_target_is_an_untied_qwen3_with_all_its_layers() -> None:
    config, names = config_of(bundled.target_folder()), header_of(bundled.target_folder())
    assert config["architectures"] == ["Qwen3ForCausalLM"]
    assert config["tie_word_embeddings"] is False
    layers = {name.split(".")[2] for name in names if name.startswith("model.layers.")}
    assert len(layers) == config["num_hidden_layers"]
    assert names["lm_head.weight"]["shape"] == [config["vocab_size"], config["hidden_size"]]


def test_the_draft_belongs_to_the_target() -> None:
    """Its embeddings and head are the target's, bit for bit: that is how a pair is recognised."""
    target, draft = bundled.target_folder(), bundled.draft_folder()
    assert tensor_bytes(draft, "embed_tokens.weight") == tensor_bytes(target, "model.embed_tokens.weight")
    assert tensor_bytes(draft, "lm_head.weight") == tensor_bytes(target, "lm_head.weight")
    config = config_of(draft)
    assert config["architectures"] == ["Qwen3DSparkModel"]
    assert config["num_target_layers"] == config_of(target)["num_hidden_layers"]
    assert config["vocab_size"] == config_of(target)["vocab_size"]


def test_a_reply_can_end() -> None:
    """A wrong id here would let every reply run on to the end of the context."""
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(str(bundled.target_folder() / "tokenizer.json"))
    end = tokenizer.token_to_id(TURN_END)
    generation = json.loads((bundled.target_folder() / "generation_config.json").read_text(encoding="utf-8"))
    assert config_of(bundled.target_folder())["eos_token_id"] == end
    assert end in generation["eos_token_id"]
    assert config_of(bundled.draft_folder())["mask_token_id"] == tokenizer.token_to_id(MASK)


def test_the_template_in_the_checkpoint_is_the_one_it_was_trained_with() -> None:
    config = json.loads((bundled.target_folder() / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert config["chat_template"] == CHAT_TEMPLATE
    assert config["eos_token"] == TURN_END


def test_text_survives_the_tokenizer_and_special_tokens_are_single() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(str(bundled.target_folder() / "tokenizer.json"))
    rng = Random(0)
    texts = [training_exercise(rng).answer for _ in range(50)] + ["Grüße aus Köln, 你好 🙂\n\n\tend "]
    for text in texts:
        assert tokenizer.decode(tokenizer.encode(text).ids) == text
    ids = tokenizer.encode(question_text("Hi")).ids
    assert ids[0] == tokenizer.token_to_id("<|im_start|>")
    assert [tokenizer.encode(token).ids for token in SPECIAL_TOKENS] == [
        [tokenizer.token_to_id(t)] for t in SPECIAL_TOKENS
    ]
    assert tokenizer.encode("2024").tokens == ["2", "0", "2", "4"]
