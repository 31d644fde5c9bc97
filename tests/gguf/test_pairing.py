"""Pairs that do not belong together, each with a sentence that names both sides and says what to do."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from converters import convert_draft, convert_target
from sparkdesk.gguf import pairing
from sparkdesk.gguf.header import ArrayLength, GgufFile, TensorPlace, read_gguf
from tests.converters.checkpoints import Made, make_dflash, make_draft, make_target, make_zlab_dflash, write_safetensors

TARGET = GgufFile(
    Path("target.gguf"),
    {
        "general.architecture": "qwen3",
        "qwen3.block_count": 36,
        "qwen3.embedding_length": 64,
        "tokenizer.ggml.tokens": ArrayLength(1000),
    },
    {},
)
DRAFT = GgufFile(
    Path("draft.gguf"),
    {
        "general.architecture": "dflash",
        "dflash.block_size": 7,
        "dflash.target_layers": ArrayLength(3, (2, 18, 34)),
        "dflash.has_confidence_head": True,
        "tokenizer.ggml.mask_token_id": 999,
        "tokenizer.ggml.tokens": ArrayLength(1000),
    },
    {},
)
Change = Callable[[GgufFile], GgufFile]


def with_tensors(*added: str, without: str = "") -> Change:
    def change(file: GgufFile) -> GgufFile:
        places = {name: TensorPlace(name, (192, 64), 0, 0, 0) for name in added}
        kept = {name: place for name, place in file.tensors.items() if name != without}
        return replace(file, tensors=kept | places)

    return change


def saying(**stated: object) -> Change:
    """Keys with _ for the dot after dflash; None removes one."""

    def change(file: GgufFile) -> GgufFile:
        named = {name.replace("__", "."): value for name, value in stated.items()}
        kept = {key: value for key, value in (file.metadata | named).items() if value is not None}
        return replace(file, metadata=kept)  # type: ignore[arg-type]

    return change


sound_target = with_tensors("token_embd.weight", "output.weight")(TARGET)
sound_draft = with_tensors("fc.weight", "markov_w1.weight", "markov_w2.weight")(DRAFT)


def test_nothing_speaks_against_a_pair_that_fits() -> None:
    assert pairing.problem(sound_target, sound_draft) == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (saying(general__architecture="dspark"), ["draft.gguf", "'dspark'", "sparkdesk convert draft"]),
        (saying(general__architecture="qwen3"), ["draft.gguf", "'qwen3'", "not a DSpark draft"]),
        (saying(dflash__block_size=None), ["draft.gguf", "block_size", "Convert"]),
        (saying(dflash__block_size=0), ["block of 0", "1 to 256"]),
        (saying(dflash__block_size=100_000), ["block of 100,000"]),
        (saying(dflash__block_size="seven"), ["block of"]),
        (saying(dflash__block_size=1, dflash__sample_from_anchor=False), ["block of 1 ", "2 to 256"]),
        (with_tensors(without="fc.weight"), ["fc.weight"]),
        (with_tensors(without="markov_w2.weight"), ["half of its Markov head", "markov_w2.weight"]),
        (lambda file: with_tensors(without="markov_w1.weight")(with_tensors(without="markov_w2.weight")(file)),
         ["draft.gguf", "DSpark", "Markov head is missing"]),
        (saying(tokenizer__ggml__tokens=ArrayLength(1001)), ["1001", "target.gguf has 1000", "Pick the target"]),
        (saying(dflash__target_layers=ArrayLength(2, (2, 18))), ["2 layers of width 96", "width 64"]),
        (saying(dflash__target_layers=ArrayLength(3, (2, 18, 36))), ["layer 36", "target.gguf has 36 layers"]),
        (saying(dflash__target_layers=ArrayLength(3, (-1, 18, 34))), ["layer -1", "36 layers"]),
        (saying(tokenizer__ggml__mask_token_id=1000), ["mask token is 1,000", "target.gguf has 1,000 tokens"]),
        (with_tensors("token_embd.weight"), ["draft.gguf", "target.gguf", "without an output head", "convert draft"]),
        (with_tensors("d2t"), ["vocabulary of its own", "no output head"]),
    ],
)  # fmt: skip
def test_each_mismatch_is_named(change: Change, words: list[str]) -> None:
    said = pairing.problem(sound_target, change(sound_draft))
    assert all(word in said for word in words), said


def test_embeddings_alone_do_where_the_target_has_no_head_of_its_own() -> None:
    tied = with_tensors("token_embd.weight")(TARGET)
    assert pairing.problem(tied, with_tensors("token_embd.weight")(sound_draft)) == ""


def test_a_dflash_needs_no_markov_head_and_its_anchor_may_be_silent() -> None:
    plain = with_tensors("fc.weight")(saying(dflash__has_confidence_head=False)(DRAFT))
    assert pairing.problem(sound_target, plain) == ""
    assert not pairing.samples_from_anchor(plain)
    assert pairing.samples_from_anchor(sound_draft)
    assert pairing.samples_from_anchor(saying(dflash__sample_from_anchor=True)(plain))
    assert not pairing.samples_from_anchor(saying(dflash__sample_from_anchor=False)(sound_draft))


@pytest.mark.parametrize("architecture", ["qwen2", "gemma3", "glm4", "llama4", "never-heard-of", ""])
def test_a_target_that_gives_out_no_layer_inputs_takes_no_draft(architecture: str) -> None:
    """llama.cpp ends the whole process where such a graph is asked for them."""
    named = {key.replace("qwen3.", f"{architecture}."): value for key, value in sound_target.metadata.items()}
    target = replace(sound_target, metadata=named | {"general.architecture": architecture})
    said = pairing.problem(target, sound_draft)
    assert all(word in said for word in ("target.gguf", f"'{architecture}'", "without a draft")), said


@pytest.mark.parametrize(("architecture", "is_sound"), [("qwen3", False), ("deepseek4", True), ("nemotron_h", True)])
def test_only_some_targets_let_a_draft_read_their_last_layers_output(architecture: str, is_sound: bool) -> None:
    """Elsewhere the layer after the last one ends the process."""
    named = {key.replace("qwen3.", f"{architecture}."): value for key, value in sound_target.metadata.items()}
    target = replace(sound_target, metadata=named | {"general.architecture": architecture})
    after_last = saying(dflash__target_layers=ArrayLength(3, (2, 18, 36)))(sound_draft)
    assert (pairing.problem(target, after_last) == "") is is_sound
    too_far = saying(dflash__target_layers=ArrayLength(3, (2, 18, 37)))(sound_draft)
    assert "layer 37" in pairing.problem(target, too_far)


def converted(tmp_path: Path, target: Made, draft: Made, *, target_type: str) -> tuple[GgufFile, GgufFile]:
    list(convert_target(target.folder, tmp_path / "t.gguf", output_type=target_type))
    list(convert_draft(draft.folder, tmp_path / "d.gguf", target=target.folder, output_type="Q8_0"))
    return read_gguf(tmp_path / "t.gguf"), read_gguf(tmp_path / "d.gguf")


@pytest.mark.parametrize("make", [make_draft, make_dflash, make_zlab_dflash])
def test_what_we_convert_fits(tmp_path: Path, make: Callable[[Path, Made], Made]) -> None:
    target = make_target(tmp_path / "target", tied=False)
    assert pairing.problem(*converted(tmp_path, target, make(tmp_path / "draft", target), target_type="Q8_0")) == ""


@pytest.mark.parametrize("target_type", ["F16", "BF16", "Q4_K_M", "Q2_K"])
def test_rows_tell_the_target_of_a_draft_with_embeddings_of_its_own(tmp_path: Path, target_type: str) -> None:
    """Two models of one shape and vocabulary: nothing but the rows tells them apart."""
    target = make_target(tmp_path / "target", tied=False)
    draft = make_draft(tmp_path / "draft", target, own_head=True)
    target_file, draft_file = converted(tmp_path, target, draft, target_type=target_type)
    assert pairing.problem(target_file, draft_file) == ""
    random = np.random.default_rng(7)
    other = make_target(tmp_path / "other", tied=False)
    weights = {name: random.standard_normal(values.shape) for name, values in other.weights.items()}
    write_safetensors(other.folder / "model.safetensors", weights, "F32")
    list(convert_target(other.folder, tmp_path / "o.gguf", output_type=target_type))
    said = pairing.problem(read_gguf(tmp_path / "o.gguf"), draft_file)
    assert "d.gguf" in said and "o.gguf" in said and "Pick the target" in said
