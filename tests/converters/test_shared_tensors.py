"""A draft leaves out embeddings and head when they are its target's, and carries both when they are not."""

from pathlib import Path

import numpy as np
import pytest

from converters import convert_draft, convert_target
from tests.converters.checkpoints import MASK_ID, Made, make_draft, make_target, write_safetensors
from tests.converters.gguf_reading import Reread

OUTER = {"token_embd.weight", "output.weight"}


def written(tmp_path: Path, draft: Made, target: Path) -> set[str]:
    list(convert_draft(draft.folder, tmp_path / "draft.gguf", target=target, output_type="BF16"))
    return OUTER & Reread(tmp_path / "draft.gguf").tensors.keys()


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("target_type", [None, "F16", "Q8_0", "Q4_K_M", "Q2_K"])
def test_copies_are_left_out_whatever_the_target_is_stored_as(
    tmp_path: Path, tied: bool, target_type: str | None
) -> None:
    made = make_target(tmp_path / "target", tied=tied)
    target = made.folder
    if target_type:
        target = tmp_path / "target.gguf"
        list(convert_target(made.folder, target, output_type=target_type))
    assert written(tmp_path, make_draft(tmp_path / "draft", made), target) == set()


@pytest.mark.parametrize("target_type", [None, "Q4_K_M"])
def test_a_drafts_own_embeddings_and_head_are_both_written(tmp_path: Path, target_type: str | None) -> None:
    made = make_target(tmp_path / "target", tied=False)
    target = made.folder
    if target_type:
        target = tmp_path / "target.gguf"
        list(convert_target(made.folder, target, output_type=target_type))
    assert written(tmp_path, make_draft(tmp_path / "draft", made, own_head=True), target) == OUTER


@pytest.mark.parametrize("changed", ["embed_tokens.weight", "lm_head.weight"])
def test_one_that_differs_is_enough_to_write_both(tmp_path: Path, changed: str) -> None:
    made = make_target(tmp_path / "target", tied=False)
    draft = make_draft(tmp_path / "draft", made)
    weights = dict(draft.weights)
    weights[changed] = weights[changed] + 0.1 * np.random.default_rng(5).standard_normal(weights[changed].shape)
    write_safetensors(draft.folder / "model.safetensors", weights, "F32")
    assert written(tmp_path, draft, made.folder) == OUTER


def test_a_mask_row_trained_apart_is_noticed(tmp_path: Path) -> None:
    """One row of the whole table, but the draft reads it in every block."""
    made = make_target(tmp_path / "target", tied=True)
    draft = make_draft(tmp_path / "draft", made)
    weights = dict(draft.weights)
    weights["embed_tokens.weight"][MASK_ID] *= -1
    write_safetensors(draft.folder / "model.safetensors", weights, "F32")
    assert written(tmp_path, draft, made.folder) == OUTER


def test_a_draft_checkpoint_without_them_borrows_them(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=False)
    draft = make_draft(tmp_path / "draft", made)
    shared = ("embed_tokens.weight", "lm_head.weight")
    weights = {name: values for name, values in draft.weights.items() if name not in shared}
    write_safetensors(draft.folder / "model.safetensors", weights, "F32")
    assert written(tmp_path, draft, made.folder) == set()
