"""Whatever is wrong with what comes in, the answer is one clear sentence and an untouched folder."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters import ConversionError, convert_draft, convert_target
from tests.converters.checkpoints import (
    TARGET_SHAPE,
    Made,
    make_draft,
    make_target,
    split_into_shards,
    write_safetensors,
)

Damage = Callable[[Made], object]


def weights_file(made: Made) -> Path:
    return made.folder / "model.safetensors"


def change_config(**fields: Any) -> Damage:
    def change(made: Made) -> None:
        path = made.folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return change


def change_weights(**tensors: Any) -> Damage:
    def change(made: Made) -> None:
        weights = {name: tensors.get(name.replace(".", "_"), values) for name, values in made.weights.items()}
        write_safetensors(weights_file(made), {k: v for k, v in weights.items() if v is not None}, "F32")

    return change


def add_weight(name: str) -> Damage:
    return lambda made: write_safetensors(weights_file(made), {**made.weights, name: np.ones((4, 4))}, "F32")


def truncate(kept_bytes: int) -> Damage:
    return lambda made: weights_file(made).write_bytes(weights_file(made).read_bytes()[:kept_bytes])


def missing_shard(made: Made) -> None:
    split_into_shards(made, 3)
    (made.folder / "model-00002-of-00003.safetensors").unlink()


def shard_outside_the_folder(made: Made) -> None:
    split_into_shards(made, 2)
    index = made.folder / "model.safetensors.index.json"
    index.write_text(index.read_text().replace("model-00001", "../model-00001"))


NAN = np.full((TARGET_SHAPE.inner, TARGET_SHAPE.hidden), np.nan)

TARGET_DAMAGE: list[tuple[str, Damage, str]] = [
    ("no folder", lambda made: shutil.rmtree(made.folder), "is not a checkpoint folder"),
    ("no config", lambda made: (made.folder / "config.json").unlink(), "config.json is missing"),
    ("broken config", lambda made: (made.folder / "config.json").write_text("{"), "config.json is not valid JSON"),
    ("config a list", lambda made: (made.folder / "config.json").write_text("[]"), "not a JSON object"),
    ("no weights", lambda made: weights_file(made).unlink(), "has no model.safetensors"),
    ("no tokenizer", lambda made: (made.folder / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    ("empty weights", truncate(0), "truncated or not a safetensors file"),
    ("cut in the header", truncate(100), "truncated or not a safetensors file"),
    ("cut in the data", truncate(500_000), "should lie in bytes .* but the file holds"),
    ("missing shard", missing_shard, r"model-00002-of-00003.safetensors is missing .*3 files"),
    ("shard elsewhere", shard_outside_the_folder, "'weight_map' should be"),
    ("unknown", change_config(architectures=["MambaForCausalLM"]), "MambaForCausalLM is not an architecture"),
    ("a draft", change_config(architectures=["Qwen3DSparkModel"]), "holds a draft .* not a target"),
    ("no architecture", change_config(architectures=None), "does not name an architecture"),
    ("wrong width", change_config(intermediate_size=768), r"has shape \[512, 256\], but .* \[768, 256\]"),
    ("more layers", change_config(num_hidden_layers=4), "no tensor 'model.layers.3"),
    ("fewer layers", change_config(num_hidden_layers=2), "'model.layers.2.* has no place"),
    ("text for a number", change_config(hidden_size="256"), "'hidden_size' should be a whole number"),
    ("no number", change_config(num_attention_heads=None), "does not say 'num_attention_heads'"),
    ("no rope", change_config(rope_theta=None), "does not say 'rope_theta'"),
    ("strange rope", change_config(rope_scaling={"type": "longrope"}), "rope scaling of type 'longrope'"),
    ("bias", change_config(attention_bias=True), "attention_bias"),
    ("window", change_config(use_sliding_window=True), "use_sliding_window"),
    ("activation", change_config(hidden_act="gelu"), "activation gelu"),
    ("extra tensor", add_weight("model.layers.0.self_attn.q_proj.bias"), "q_proj.bias' has no place"),
    ("no head", change_weights(lm_head_weight=None), "no tensor 'lm_head.weight'"),
    ("NaN", change_weights(model_layers_1_mlp_up_proj_weight=NAN), "'model.layers.1.mlp.up_proj.weight' contains NaN"),
]


@pytest.mark.parametrize(("damage", "message"), [case[1:] for case in TARGET_DAMAGE], ids=[c[0] for c in TARGET_DAMAGE])
def test_a_bad_target_is_refused(tmp_path: Path, damage: Damage, message: str) -> None:
    made = make_target(tmp_path / "target", tied=False)
    damage(made)
    (tmp_path / "out").mkdir()
    with pytest.raises(ConversionError, match=message):
        list(convert_target(made.folder, tmp_path / "out" / "out.gguf", output_type="F16"))
    assert list((tmp_path / "out").iterdir()) == []


DRAFT_DAMAGE: list[tuple[str, Damage, str]] = [
    ("vocabulary", change_config(vocab_size=400), "expects a vocabulary of 400 tokens; the target has 352"),
    ("hidden size", change_config(hidden_size=512), "expects a hidden size of 512; the target has 256"),
    ("layer count", change_config(num_target_layers=36), "expects 36 target layers; the target has 3"),
    (
        "last layer",
        change_config(target_layer_ids=[0, 2]),
        "reads target layer 2; llama.cpp can hand over layers 0 to 1",
    ),
    ("mask token", change_config(mask_token_id=151_669), "mask token 151,669 is not in the vocabulary"),
    ("no mask", change_config(mask_token_id=None), "does not say 'mask_token_id'"),
    ("no layers", change_config(target_layer_ids=[]), "'target_layer_ids' should be a list"),
    ("gated", change_config(markov_head_type="gated"), "a Markov head of type 'gated'"),
    ("no Markov", change_config(markov_rank=0), "reads a Markov head that is not there"),
    ("undeclared Markov", change_config(markov_rank=0, enable_confidence_head=False), "markov_w1.* has no place"),
    ("confidence", change_config(confidence_head_with_markov=False), "confidence_head.proj.weight' has shape"),
    ("no block", change_config(block_size=100_000), "block of 100,000 is not between 1 and 256"),
    ("no fc", change_weights(fc_weight=None), "no tensor 'fc.weight'"),
    ("no norm", change_weights(hidden_norm_weight=None), "no tensor 'hidden_norm.weight'"),
    ("unknown", change_config(architectures=["Eagle3"]), "Eagle3 is not an architecture"),
    ("a target", change_config(architectures=["Qwen3ForCausalLM"]), "holds a target .* not a draft"),
    ("rank", change_config(markov_rank=32), "markov_w1.weight' has shape"),
    ("undeclared", change_config(enable_confidence_head=False), "confidence_head.* has no place"),
]


@pytest.mark.parametrize(("damage", "message"), [case[1:] for case in DRAFT_DAMAGE], ids=[c[0] for c in DRAFT_DAMAGE])
def test_a_bad_draft_is_refused(tmp_path: Path, damage: Damage, message: str) -> None:
    target = make_target(tmp_path / "target", tied=False)
    draft = make_draft(tmp_path / "draft", target)
    damage(draft)
    with pytest.raises(ConversionError, match=message):
        list(convert_draft(draft.folder, tmp_path / "out.gguf", target=target.folder, output_type="F16"))


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF\3\0\0\0" + b"\xff" * 64, b"nonsense" * 100])
def test_a_target_that_is_no_gguf_is_refused(tmp_path: Path, content: bytes) -> None:
    target = make_target(tmp_path / "target", tied=False)
    draft = make_draft(tmp_path / "draft", target)
    path = tmp_path / "target.gguf"
    path.write_bytes(content)
    with pytest.raises(ConversionError, match="not a GGUF file"):
        list(convert_draft(draft.folder, tmp_path / "out.gguf", target=path, output_type="F16"))


def test_a_draft_given_as_target_is_refused(tmp_path: Path) -> None:
    target = make_target(tmp_path / "target", tied=False)
    draft = make_draft(tmp_path / "draft", target)
    path = tmp_path / "draft.gguf"
    list(convert_draft(draft.folder, path, target=target.folder, output_type="F16"))
    with pytest.raises(ConversionError, match="not a whole target model"):
        list(convert_draft(draft.folder, tmp_path / "out.gguf", target=path, output_type="F16"))


def test_a_target_that_is_not_there_is_refused(tmp_path: Path) -> None:
    draft = make_draft(tmp_path / "draft", make_target(tmp_path / "target", tied=False))
    with pytest.raises(ConversionError, match="does not exist"):
        list(convert_draft(draft.folder, tmp_path / "out.gguf", target=tmp_path / "no", output_type="F16"))


def test_an_unknown_output_type_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="Q9 is not a type") as caught:
        list(convert_target(tmp_path, tmp_path / "out.gguf", output_type="Q9"))
    assert "Q4_K_M" in caught.value.hint


def test_a_tensor_in_a_quantized_type_is_refused_by_name(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=True)
    path = weights_file(made)
    raw = path.read_bytes()
    name = b'"model.embed_tokens.weight": {"dtype": "F32"'
    assert name in raw
    path.write_bytes(raw.replace(name, name.replace(b"F32", b"I32")))
    with pytest.raises(ConversionError, match=r"'model.embed_tokens.weight' is stored as I32"):
        list(convert_target(made.folder, tmp_path / "out.gguf", output_type="F16"))


def test_an_existing_output_is_kept_unless_overwriting_is_asked_for(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=True)
    out = tmp_path / "out.gguf"
    out.write_text("the old one")
    with pytest.raises(ConversionError, match="exists already"):
        list(convert_target(made.folder, out, output_type="F16"))
    assert out.read_text() == "the old one"
    list(convert_target(made.folder, out, output_type="F16", overwrite=True))
    assert out.read_bytes()[:4] == b"GGUF"


def test_a_missing_output_folder_is_refused(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=True)
    with pytest.raises(ConversionError, match="does not exist"):
        list(convert_target(made.folder, tmp_path / "no" / "out.gguf", output_type="F16"))


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_target(tmp_path / "target", tied=True)
    monkeypatch.setattr("converters.output_file.os.access", lambda *_: False)  # root may write anywhere
    with pytest.raises(ConversionError, match="cannot be written to"):
        list(convert_target(made.folder, tmp_path / "out.gguf", output_type="F16"))


def test_too_little_space_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_target(tmp_path / "target", tied=True)
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("converters.output_file.shutil.disk_usage", lambda _: usage)
    with pytest.raises(ConversionError, match=r"has 0.0 GB free and the conversion needs 0.1 GB"):
        list(convert_target(made.folder, tmp_path / "out.gguf", output_type="Q4_K_M"))
    assert not (tmp_path / "out.gguf").exists()


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_target(tmp_path / "target", tied=True)
    (tmp_path / "out").mkdir()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("gguf.GGUFWriter.write_padding", full)
    with pytest.raises(ConversionError, match="no space left"):
        list(convert_target(made.folder, tmp_path / "out" / "out.gguf", output_type="F16"))
    assert list((tmp_path / "out").iterdir()) == []


def test_every_error_is_one_short_sentence(tmp_path: Path) -> None:
    for index, (_, damage, _) in enumerate(TARGET_DAMAGE):
        made = make_target(tmp_path / str(index), tied=False)
        damage(made)
        with pytest.raises(ConversionError) as caught:
            list(convert_target(made.folder, tmp_path / "out.gguf", output_type="F16"))
        assert "\n" not in str(caught.value)
        assert str(caught.value).endswith(".")
