"""The header reader against files written by the gguf package, and against broken ones."""

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkdesk.errors import ModelLoadError
from sparkdesk.gguf.header import ArrayLength, read_gguf


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "sample.gguf"
    writer = gguf.GGUFWriter(str(path), "qwen3")
    writer.add_name("A sample")
    writer.add_block_count(3)
    writer.add_rope_freq_base(1e6)
    writer.add_add_bos_token(False)
    writer.add_token_list(["a", "bé", "c"])
    writer.add_array("numbers", [1, 2, 3, 4])
    writer.add_tensor("first", np.arange(64, dtype=np.float32).reshape(2, 32))
    writer.add_tensor("second", np.ones((3, 34), np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_metadata_and_places_are_those_the_gguf_package_reads(sample: Path) -> None:
    file = read_gguf(sample)
    assert file.architecture == "qwen3" and file.name == "A sample"
    assert file.metadata["qwen3.block_count"] == 3
    assert file.metadata["tokenizer.ggml.add_bos_token"] is False
    assert file.metadata["tokenizer.ggml.tokens"] == ArrayLength(3)
    assert file.metadata["numbers"] == ArrayLength(4, (1, 2, 3, 4))
    for tensor in gguf.GGUFReader(str(sample)).tensors:
        place = file.tensors[tensor.name]
        assert (place.offset, place.size_bytes) == (tensor.data_offset, tensor.n_bytes)
        assert place.shape == tuple(tensor.shape)
    assert file.tensors["second"].row_bytes == 34


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.9])
def test_a_file_cut_short_is_named_as_such(sample: Path, tmp_path: Path, share: float) -> None:
    data = sample.read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelLoadError, match=r"cut\.gguf"):
        read_gguf(cut)


@pytest.mark.parametrize(
    "content", [b"", b"GG", b"PK\x03\x04 something else", b"GGUF" + struct.pack("<I", 99) + b"\0" * 16]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelLoadError):
        read_gguf(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="There is no file"):
        read_gguf(tmp_path / "nothing.gguf")
    with pytest.raises(ModelLoadError):
        read_gguf(tmp_path)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_flipped_bytes_never_do_more_than_raise(
    sample: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A length field of garbage must not hang the reader or exhaust memory."""
    content = bytearray(sample.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 700))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("flip") / "flipped.gguf"
    path.write_bytes(content)
    try:
        read_gguf(path)
    except ModelLoadError:
        pass
