"""Rows of the Markov head, also of a draft whose vocabulary is smaller than the target's."""

from pathlib import Path

import gguf
import numpy as np
import pytest
from numpy.typing import NDArray

from sparkdesk.engine.block import FloatArray
from sparkdesk.engine.markov import DRAFT_TO_TARGET, W1, W2, MarkovHead
from sparkdesk.gguf.header import read_gguf

VOCABULARY, RANK = 40, 64


def head(path: Path, w1: FloatArray, w2: FloatArray, ids: NDArray[np.int64] | None = None) -> MarkovHead:
    writer = gguf.GGUFWriter(path, "dflash")
    writer.add_tensor(W1, w1)
    writer.add_tensor(W2, w2)
    if ids is not None:
        writer.add_tensor(DRAFT_TO_TARGET, ids)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return MarkovHead(read_gguf(path))


@pytest.mark.parametrize("is_reduced", [False, True])
def test_the_bias_is_that_of_the_targets_ids(tmp_path: Path, is_reduced: bool) -> None:
    random = np.random.default_rng(1)
    w1 = random.normal(size=(VOCABULARY, RANK)).astype(np.float32)
    ids = np.sort(random.permutation(VOCABULARY)[:12]).astype(np.int64) if is_reduced else np.arange(VOCABULARY)
    w2 = random.normal(size=(len(ids), RANK)).astype(np.float32)
    found = head(tmp_path / "draft.gguf", w1, w2, ids if is_reduced else None)
    assert found.bias(5, ids.astype(np.intp)) == pytest.approx(w2 @ w1[5], rel=1e-5)
    change = found.difference(5, 7, ids[:3].astype(np.intp))
    assert change == pytest.approx(w2[:3] @ (w1[5] - w1[7]), rel=1e-4, abs=1e-5)


def test_packed_rows_give_what_unpacked_ones_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large head stays packed: its rows are multiplied as they lie in the file."""
    random = np.random.default_rng(2)
    w1, w2 = (random.normal(size=(VOCABULARY, 2 * RANK)).astype(np.float32) for _ in range(2))
    packed = [gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0) for values in (w1, w2)]
    writer = gguf.GGUFWriter(tmp_path / "draft.gguf", "dflash")
    for name, rows in zip((W1, W2), packed, strict=True):
        writer.add_tensor(name, rows, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    ids, file = np.array([3, 0, 39]), read_gguf(tmp_path / "draft.gguf")
    unpacked = MarkovHead(file).bias(7, ids)
    monkeypatch.setattr("sparkdesk.engine.markov._SMALL_BYTES", 0)
    assert MarkovHead(file).bias(7, ids) == pytest.approx(unpacked, rel=1e-5)
    assert unpacked == pytest.approx(w2[ids] @ w1[7], abs=0.2)


@pytest.mark.parametrize("kind", ["F32", "F16", "Q8_0", "Q4_0"])
@pytest.mark.parametrize("is_kept_packed", [False, True])
def test_asked_about_no_token_it_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, is_kept_packed: bool
) -> None:
    """A grammar that allows none of a draft's likeliest tokens asks so; every real head stays packed."""
    if is_kept_packed:
        monkeypatch.setattr("sparkdesk.engine.markov._SMALL_BYTES", 0)
    rows = np.ones((VOCABULARY, RANK), np.float32)
    quantization = gguf.GGMLQuantizationType[kind]
    writer = gguf.GGUFWriter(tmp_path / "draft.gguf", "dflash")
    for name in (W1, W2):
        if kind in ("F32", "F16"):
            writer.add_tensor(name, rows.astype(np.float32 if kind == "F32" else np.float16))
        else:
            writer.add_tensor(name, gguf.quants.quantize(rows, quantization), raw_dtype=quantization)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = MarkovHead(read_gguf(tmp_path / "draft.gguf"))
    nothing = np.zeros(0, np.intp)
    assert found.bias(1, nothing).shape == found.difference(1, 2, nothing).shape == (0,)
    assert found.bias(1, np.array([3, 5])).shape == (2,)
