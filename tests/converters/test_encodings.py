"""The bytes in the file are the weights of the checkpoint, in each type this package encodes itself."""

from pathlib import Path

import gguf
import numpy as np
import pytest

from converters import convert_draft, convert_target
from converters.encode import encode
from converters.errors import BadCheckpoint, UnsupportedModel
from tests.converters.checkpoints import TARGET_SHAPE, make_draft, make_target, write_safetensors
from tests.converters.gguf_reading import Reread

MATRIX = "blk.1.ffn_down.weight"
STORED_MATRIX = "model.layers.1.mlp.down_proj.weight"


@pytest.mark.parametrize("output_type", ["F32", "F16", "BF16", "Q8_0"])
def test_matrices_take_the_type_and_norms_stay_f32(tmp_path: Path, output_type: str) -> None:
    made = make_target(tmp_path / "target", tied=False)
    out = tmp_path / "out.gguf"
    list(convert_target(made.folder, out, output_type=output_type))
    encodings = Reread(out).encodings()
    assert len(encodings) == len(made.weights)
    assert {kind for name, kind in encodings.items() if "norm" in name} == {"F32"}
    assert {kind for name, kind in encodings.items() if "norm" not in name} == {output_type}


def test_bf16_of_bf16_is_bit_exact(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=True, dtype="BF16")
    out = tmp_path / "out.gguf"
    list(convert_target(made.folder, out, output_type="BF16"))
    expected = (made.weights[STORED_MATRIX].astype("<f4").view("<u4") >> 16).astype("<u2")
    assert Reread(out).raw(MATRIX) == expected.tobytes()


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_f32_holds_every_stored_type_exactly(tmp_path: Path, dtype: str) -> None:
    made = make_target(tmp_path / "target", tied=True, dtype=dtype)
    out = tmp_path / "out.gguf"
    list(convert_target(made.folder, out, output_type="F32"))
    assert np.array_equal(Reread(out).floats(MATRIX), made.weights[STORED_MATRIX])


def test_q8_0_is_off_by_half_a_step_at_most(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=True)
    out = tmp_path / "out.gguf"
    list(convert_target(made.folder, out, output_type="Q8_0"))
    expected = made.weights[STORED_MATRIX].reshape(-1, 32)
    error = np.abs(Reread(out).floats(MATRIX).reshape(-1, 32) - expected)
    step = np.abs(expected).max(axis=1, keepdims=True) / 127
    assert (error <= step * 0.5 + 127 * step * 2**-11).all()  # the scale itself is an f16


@pytest.mark.parametrize("encoding", ["BF16", "Q8_0"])
def test_encodings_agree_with_the_gguf_package(encoding: str) -> None:
    values = np.random.default_rng(3).standard_normal(32 * 500).astype(np.float32)
    values[:32] = 0
    ours = encode(values, "F32", encoding=encoding, name="x").view(np.uint8).reshape(-1)
    theirs = gguf.quantize(values, gguf.GGMLQuantizationType[encoding]).view(np.uint8).reshape(-1)
    assert np.array_equal(ours, theirs)


def test_rows_that_do_not_divide_into_blocks_fall_back_to_f16(tmp_path: Path) -> None:
    target = make_target(tmp_path / "target", tied=True)
    draft = make_draft(tmp_path / "draft", target, markov_rank=40)
    rank_40 = {name: values[:, :40] if "markov" in name else values for name, values in draft.weights.items()}
    rank_40["confidence_head.proj.weight"] = np.zeros((1, TARGET_SHAPE.hidden + 40))
    write_safetensors(draft.folder / "model.safetensors", rank_40, "F32")
    out = tmp_path / "out.gguf"
    list(convert_draft(draft.folder, out, target=target.folder, output_type="Q8_0"))
    encodings = Reread(out).encodings()
    assert encodings["markov_w1.weight"] == "F16"
    assert encodings["fc.weight"] == "Q8_0"


@pytest.mark.parametrize("dtype", ["F32", "F16"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_by_name(dtype: str, value: float) -> None:
    values = np.ones(64, dtype={"F32": np.float32, "F16": np.float16}[dtype])
    values[40] = value
    with pytest.raises(BadCheckpoint, match=r"Tensor 'layers.7' contains NaN"):
        encode(values, dtype, encoding="F16", name="layers.7")


@pytest.mark.parametrize("bits", [0x7FC0, 0x7F80, 0xFF80])
def test_nan_and_infinity_are_seen_in_bf16(bits: int) -> None:
    with pytest.raises(BadCheckpoint, match="NaN"):
        encode(np.array([0x3F80, bits], np.uint16), "BF16", encoding="BF16", name="x")


@pytest.mark.parametrize(("encoding", "value"), [("F16", 70_000.0), ("Q8_0", 1e7)])
def test_values_beyond_f16_are_refused_not_written_as_infinity(encoding: str, value: float) -> None:
    with pytest.raises(UnsupportedModel, match="more than this type can hold"):
        encode(np.full(32, value, np.float32), "F32", encoding=encoding, name="x")
