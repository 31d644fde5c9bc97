"""Every kind of draft computes in llama.cpp what its checkpoint means: DFlash, speculators, reduced vocabularies."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from converters import ConversionError, convert_draft
from tests.converters.checkpoints import (
    BLOCK,
    DRAFT_SHAPE,
    MASK_ID,
    TARGET_LAYER_IDS,
    TARGET_SHAPE,
    Made,
    make_dflash,
    make_draft,
    make_speculators,
    make_target,
    make_zlab_dflash,
    write_safetensors,
)
from tests.converters.gguf_reading import Reread
from tests.converters.native import running_pair
from tests.converters.test_parity import ANCHOR, TOKENS, TOLERANCE, convert_pair
from tests.reference.dspark import Block, draft_block, gather_features
from tests.reference.numerics import relative_error
from tests.reference.qwen3 import target_forward

SOME_TOKENS = tuple(range(3, 300, 2))
"""A reduced vocabulary; no multiple of 32, and without the anchor, 42."""


def expected(target: Made, draft: Made, *, from_anchor: bool) -> Block:
    _, inputs = target_forward(target.weights, TARGET_SHAPE, TOKENS)
    features = gather_features(inputs, TARGET_LAYER_IDS)
    weights = dict(draft.weights)
    if "lm_head.weight" not in weights:  # borrowed from the target
        weights["embed_tokens.weight"] = target.weights["model.embed_tokens.weight"]
        weights["lm_head.weight"] = target.weights.get("lm_head.weight", weights["embed_tokens.weight"])
    return draft_block(
        weights, DRAFT_SHAPE, features, anchor=ANCHOR, mask=MASK_ID, length=BLOCK, from_anchor=from_anchor
    )


def drafted(paths: tuple[Path, Path]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """All rows of a block, those that predict nothing included."""
    with running_pair(*paths) as (target, draft):
        draft.absorb(target.run(TOKENS, draft.layers).features)
        return draft.propose(ANCHOR, len(TOKENS), BLOCK)


def error_of(logits: NDArray[np.float32], block: Block) -> float:
    """Relative error over what can be proposed; the rest must have no chance at all."""
    can = np.isfinite(block.logits)
    assert np.isneginf(logits[~can]).all()
    assert logits.argmax(1).tolist() == block.tokens
    return relative_error(logits[can], block.logits[can])


@pytest.mark.native
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_a_deepspec_dflash_predicts_from_its_anchor_on(tmp_path: Path, tied: bool) -> None:
    target = make_target(tmp_path / "target", tied=tied)
    draft = make_dflash(tmp_path / "draft", target)
    paths = convert_pair(tmp_path, target, draft)
    logits, _ = drafted(paths)
    assert error_of(logits, expected(target, draft, from_anchor=True)) < TOLERANCE
    file = Reread(paths[1])
    assert file.value("dflash.sample_from_anchor") is True and file.value("dflash.has_confidence_head") is False


@pytest.mark.native
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_a_zlab_dflash_predicts_from_its_masks_alone(tmp_path: Path, tied: bool) -> None:
    target = make_target(tmp_path / "target", tied=tied)
    draft = make_zlab_dflash(tmp_path / "draft", target)
    paths = convert_pair(tmp_path, target, draft)
    logits, _ = drafted(paths)
    assert error_of(logits[1:], expected(target, draft, from_anchor=False)) < TOLERANCE
    assert Reread(paths[1]).value("dflash.sample_from_anchor") is False


@pytest.mark.native
@pytest.mark.parametrize("architecture", ["DSparkDraftModel", "DSparkSpeculator"])
@pytest.mark.parametrize("from_anchor", [True, False, None], ids=["from the anchor", "from the masks", "unsaid"])
def test_a_speculators_export_counts_layers_as_llama_cpp_does(
    tmp_path: Path, from_anchor: bool | None, architecture: str
) -> None:
    target = make_target(tmp_path / "target", tied=False)
    draft = make_speculators(tmp_path / "draft", target, architectures=[architecture], sample_from_anchor=from_anchor)
    paths = convert_pair(tmp_path, target, draft)
    logits, confidences = drafted(paths)
    block = expected(target, draft, from_anchor=bool(from_anchor))
    silent = 0 if from_anchor else 1
    assert error_of(logits[silent:], block) < TOLERANCE
    assert relative_error(confidences[silent:], block.confidences) < TOLERANCE
    file = Reread(paths[1])
    assert file.value("dflash.target_layers") == [layer + 1 for layer in TARGET_LAYER_IDS]
    assert "token_embd.weight" not in file.tensors and "output.weight" not in file.tensors


@pytest.mark.native
@pytest.mark.parametrize("output_type", ["F32", "Q8_0", "Q4_K_M"])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_a_reduced_vocabulary_gives_the_other_tokens_no_chance(tmp_path: Path, tied: bool, output_type: str) -> None:
    target = make_target(tmp_path / "target", tied=tied)
    draft = make_speculators(tmp_path / "draft", target, reduced=SOME_TOKENS, sample_from_anchor=True)
    paths = convert_pair(tmp_path, target, draft, output_type)
    logits, confidences = drafted(paths)
    block = expected(target, draft, from_anchor=True)
    file = Reread(paths[1])
    assert file.tensors["d2t"].data.tolist() == list(SOME_TOKENS)
    assert "token_embd.weight" not in file.tensors and "output.weight" in file.tensors
    if output_type == "F32":
        assert error_of(logits, block) < TOLERANCE
        assert relative_error(confidences, block.confidences) < TOLERANCE
    else:
        can = np.isfinite(block.logits[0])
        assert np.isneginf(logits[0][~can]).all()
        assert relative_error(logits[0][can], block.logits[0][can]) < 0.35


@pytest.mark.native
def test_a_confidence_head_that_reads_no_markov_feature_sees_zeros_there(tmp_path: Path) -> None:
    target = make_target(tmp_path / "target", tied=True)
    draft = make_draft(tmp_path / "draft", target, confidence_head_with_markov=False)
    weights = dict(draft.weights)
    weights["confidence_head.proj.weight"] = weights["confidence_head.proj.weight"][:, : TARGET_SHAPE.hidden]
    draft = replace(draft, weights=write_safetensors(draft.folder / "model.safetensors", weights, "F32"))
    logits, confidences = drafted(convert_pair(tmp_path, target, draft))
    block = expected(target, draft, from_anchor=True)
    assert error_of(logits, block) < TOLERANCE
    assert relative_error(confidences, block.confidences) < TOLERANCE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d2t": None}, "no table d2t"),
        ({"d2t": np.zeros(len(SOME_TOKENS), np.int64) + 300}, "does not name"),
        ({"d2t": -np.arange(len(SOME_TOKENS))}, "does not name"),
        ({"t2d": np.ones(TARGET_SHAPE.vocab, bool)}, "contradict"),
        ({"lm_head.weight": np.zeros((7, TARGET_SHAPE.hidden))}, "lm_head.weight' has shape"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(
    tmp_path: Path, change: dict[str, NDArray[Any] | None], message: str
) -> None:
    target = make_target(tmp_path / "target", tied=True)
    draft = make_speculators(tmp_path / "draft", target, reduced=SOME_TOKENS)
    weights = {name: values for name, values in ({**draft.weights} | change).items() if values is not None}
    write_safetensors(draft.folder / "model.safetensors", weights, "F32")
    with pytest.raises(ConversionError, match=message):
        list(convert_draft(draft.folder, tmp_path / "out.gguf", target=target.folder, output_type="F16"))


@pytest.mark.parametrize("vocabulary", ["whole", "reduced"])
def test_the_embeddings_of_another_target_are_refused(tmp_path: Path, vocabulary: str) -> None:
    """Same vocabulary, same shapes, another model: only the rows tell."""
    target = make_target(tmp_path / "target", tied=False)
    other = make_target(tmp_path / "other", tied=False)
    random = np.random.default_rng(7)
    weights = {name: random.standard_normal(values.shape) for name, values in other.weights.items()}
    write_safetensors(other.folder / "model.safetensors", weights, "F32")
    draft = make_speculators(tmp_path / "draft", target, reduced=SOME_TOKENS if vocabulary == "reduced" else ())
    with pytest.raises(ConversionError, match="embeddings are not this target's: rows of the two agree by"):
        list(convert_draft(draft.folder, tmp_path / "out.gguf", target=other.folder, output_type="F16"))
