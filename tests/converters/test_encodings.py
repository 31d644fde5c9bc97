"""The bytes in the file are the weights of the checkpoint, in each type this package encodes itself."""

from pathlib import Path

import gguf
import numpy as np
import pytest

from converters import convert_draft, convert_target
from converters.errors import BadCheckpoint, UnsupportedModel
from converters.plan import BLOCK_BYTES, encode
from tests.converters.checkpoints import TARGET_SHAPE, make_draft, make_target, write_safetensors
from tests.converters.gguf_reading import Reread

MATRIX = "blk.1.ffn_down.weight"
ENCODINGS = ["F32", "F16", "BF16", *BLOCK_BYTES]
STORED_MATRIX = "model.layers.1.mlp.down_proj.weight"


@pytest.mark.parametrize("output_type", ENCODINGS)
def test_matrices_take_the_type_and_norms_stay_f32(tmp_path: Path, output_type: str) -> None:
    made = make_target(tmp_path / "target", tied=False)
    out = tmp_path / "out.gguf"
    list(convert_target(made.folder, out, output_type=output_type))
    encodings = Reread(out).encodings()
    assert len(encodings) == len(made.weights)
    assert {kind for name, kind in encodings.items() if "norm" in name} == {"F32"}
    assert {kind for name, kind in encodings.items() if "norm" not in name and name != "output.weight"} == {output_type}
    assert encodings["output.weight"] == (output_type if output_type not in ("Q5_0", "Q4_0") else "Q8_0")


def test_tied_embeddings_are_the_head_and_stay_as_fine(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=True)
    list(convert_target(made.folder, tmp_path / "out.gguf", output_type="Q4_0"))
    assert Reread(tmp_path / "out.gguf").encodings()["token_embd.weight"] == "Q8_0"


@pytest.mark.parametrize("output_type", ["Q8_0", "Q5_0", "Q4_0"])
def test_a_drafts_markov_tensors_are_q8_0_and_its_norms_f32(tmp_path: Path, output_type: str) -> None:
    target = make_target(tmp_path / "target", tied=True)
    draft = make_draft(tmp_path / "draft", target)
    list(convert_draft(draft.folder, tmp_path / "out.gguf", target=target.folder, output_type=output_type))
    encodings = Reread(tmp_path / "out.gguf").encodings()
    assert encodings["markov_w1.weight"] == encodings["markov_w2.weight"] == "Q8_0"
    assert {kind for name, kind in encodings.items() if "norm" in name or "conf" in name} == {"F32"}
    assert encodings["fc.weight"] == encodings["blk.1.ffn_up.weight"] == output_type


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


@pytest.mark.parametrize("encoding", ["BF16", "Q8_0", "Q5_0", "Q4_0"])
@pytest.mark.parametrize("kept_bits", [32, 16], ids=["F32", "BF16"])
def test_encodings_agree_with_the_gguf_package(encoding: str, kept_bits: int) -> None:
    """Weights of few bits often lie halfway between two steps, and often have a twin of the other sign."""
    values = np.random.default_rng(3).standard_normal(32 * 5000).astype(np.float32)
    values = (values.view("<u4") >> np.uint32(32 - kept_bits) << np.uint32(32 - kept_bits)).view("<f4")
    values[:32] = 0
    values[32:64:2] *= 1e-7
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


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("dtype", "bits"),
    [
        *(("F32", bits) for bits in (0x7F800001, 0xFFFFFFFF, 0x7F800000, 0xFF800000)),
        *(("F16", bits) for bits in (0x7E00, 0xFFFF, 0x7C00, 0xFC00)),
        *(("BF16", bits) for bits in (0x7FC0, 0xFFFF, 0x7F80, 0xFF80)),
    ],
)
def test_nan_and_infinity_are_refused_by_name(dtype: str, bits: int, encoding: str) -> None:
    values = np.full(64, 0x3C00, {"F32": "<u4", "F16": "<u2", "BF16": "<u2"}[dtype])
    values[40] = bits
    stored = values if dtype == "BF16" else values.view({"F32": "<f4", "F16": "<f2"}[dtype])
    with pytest.raises(BadCheckpoint, match=r"Tensor 'layers.7' contains NaN"):
        encode(stored, dtype, encoding=encoding, name="layers.7")


@pytest.mark.parametrize("encoding", BLOCK_BYTES)
def test_blocks_too_small_for_their_scale_become_zeros(encoding: str) -> None:
    """The inverse of such a scale is infinite, and infinity times zero no number."""
    values = np.full(64, 1e-44, np.float32)
    values[::2] = 0
    encoded = encode(values, "F32", encoding=encoding, name="x").view(np.uint8)
    assert not gguf.dequantize(encoded, gguf.GGMLQuantizationType[encoding]).any()


def test_every_bfloat16_becomes_the_f16_that_numpy_rounds_it_to() -> None:
    bits = np.arange(1 << 16, dtype="<u2")
    floats = (bits.astype("<u4") << np.uint32(16)).view("<f4")
    fitting = np.abs(floats) < 65504
    ours = encode(bits[fitting], "BF16", encoding="F16", name="x")
    assert np.array_equal(ours.view("<u2"), floats[fitting].astype("<f2").view("<u2"))


@pytest.mark.parametrize(
    ("encoding", "value"), [("F16", 7e4), ("BF16", 3.4e38), ("Q8_0", 1e7), ("Q5_0", 2e6), ("Q4_0", -6e5)]
)
def test_values_beyond_f16_are_refused_not_written_as_infinity(encoding: str, value: float) -> None:
    with pytest.raises(UnsupportedModel, match=f"more than {encoding} can hold"):
        encode(np.full(32, value, np.float32), "F32", encoding=encoding, name="x")
