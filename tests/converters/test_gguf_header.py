"""A target's GGUF header is read as the gguf package reads it, and a damaged one is refused."""

from datetime import timedelta
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converters import ConversionError, convert_target
from converters.gguf_header import entries, parse_header
from converters.gguf_target import GgufTarget
from tests.converters.checkpoints import TARGET_SHAPE, make_target


@pytest.fixture(scope="module")
def target_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("header")
    made = make_target(folder / "target", tied=False)
    list(convert_target(made.folder, folder / "out.gguf", output_type="Q8_0"))
    return folder / "out.gguf"


def test_it_agrees_with_the_gguf_packages_reader(target_file: Path) -> None:
    data = target_file.read_bytes()
    ours, theirs = parse_header(data), gguf.GGUFReader(target_file)
    for key, entry in ((entry.key, entry) for entry in entries(data, ours)):
        field = theirs.fields[key]
        assert entry.value == field.contents(), key
        assert [entry.kind] + ([entry.item_kind] if entry.item_kind else []) == [t.name for t in field.types[:2]], key
    for tensor in theirs.tensors:
        place = ours.tensors[tensor.name]
        assert (place.offset, place.shape) == (tensor.data_offset, tuple(tensor.shape.tolist()))
    assert len(ours.tensors) == len(theirs.tensors)


def test_rows_are_those_of_the_whole_tensor(target_file: Path) -> None:
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(target_file).tensors}
    whole = gguf.dequantize(tensors["output.weight"].data, tensors["output.weight"].tensor_type)
    ids = [0, 5, TARGET_SHAPE.vocab - 1]
    assert np.array_equal(GgufTarget(target_file).head_rows(ids), whole[ids])


@settings(
    max_examples=300,
    deadline=timedelta(seconds=2),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(place=st.integers(0, 12_000), damage=st.binary(min_size=1, max_size=9), cut=st.integers(0, 30_000))
def test_a_damaged_file_is_read_or_refused(
    target_file: Path, tmp_path: Path, place: int, damage: bytes, cut: int
) -> None:
    content = bytearray(target_file.read_bytes())
    content[place : place + len(damage)] = damage
    path = tmp_path / "damaged.gguf"
    path.write_bytes(content[:-cut] if cut % 2 else content)
    try:
        target = GgufTarget(path)
        target.tokenizer_entries()
        assert target.embedding_rows([0]).shape[0] == 1
        assert target.head_rows([0]).shape[0] == 1
    except ConversionError as error:
        assert "\n" not in str(error)
    except IndexError:
        pytest.fail("rows were asked for that the file does not have")
