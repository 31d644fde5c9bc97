"""The header reader meets anything a broken download can hold, and either reads it safely or says no."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converters.errors import ConversionError
from converters.safetensors import open_tensors, parse_header, read_header

bounded = settings(
    max_examples=300, deadline=timedelta(seconds=2), suppress_health_check=[HealthCheck.function_scoped_fixture]
)

numbers = st.one_of(st.integers(-2, 70), st.integers(), st.floats(), st.booleans(), st.none())
entries = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "dtype": st.one_of(st.sampled_from(["F32", "BF16", "F16", "I64", "X", ""]), numbers),
            "shape": st.one_of(st.lists(numbers, max_size=10), numbers),
            "data_offsets": st.one_of(st.lists(numbers, max_size=3), numbers),
        },
    ),
    numbers,
    st.lists(numbers, max_size=3),
)
headers = st.dictionaries(st.text(max_size=5), entries, max_size=4)


def is_read_or_refused(path: Path) -> None:
    """Every value of every accepted tensor can be touched."""
    try:
        tensors = open_tensors(path)
    except ConversionError as error:
        assert "\n" not in str(error)
        return
    for tensor in tensors.values():
        assert tensor.values.tobytes() is not None


@bounded
@given(content=st.binary(max_size=200))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.safetensors"
    path.write_bytes(content)
    is_read_or_refused(path)


@bounded
@given(header=headers, data=st.binary(max_size=80))
def test_any_header_of_the_right_outer_form(tmp_path: Path, header: dict[str, Any], data: bytes) -> None:
    path = tmp_path / "header.safetensors"
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    is_read_or_refused(path)


@bounded
@given(claimed=st.integers(0, 2**64 - 1))
def test_any_claimed_header_length(tmp_path: Path, claimed: int) -> None:
    path = tmp_path / "length.safetensors"
    path.write_bytes(
        claimed.to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' + bytes(4)
    )
    is_read_or_refused(path)


def entry(shape: list[int], start: int, stop: int, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"[]", "not a JSON object"),
        (b"\xff", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"a": 1}', "'a' is incomplete"),
        (json.dumps({"a": entry([2], 0, 8, "F3")}).encode(), "unknown type 'F3'"),
        (json.dumps({"a": entry([2], 8, 0)}).encode(), "should lie in bytes 8 to 0"),
        (json.dumps({"a": entry([100], 0, 400)}).encode(), "should lie in bytes 0 to 400, but the file holds 16"),
        (json.dumps({"a": entry([3], 0, 8)}).encode(), "needs 12 bytes and has 8"),
        (json.dumps({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}).encode(), "'b' overlaps"),
        (b'{"a":%s,"a":%s}' % ((json.dumps(entry([0], 0, 0)).encode(),) * 2), "'a' appears twice"),
    ],
)
def test_each_fault_is_named(header: bytes, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        parse_header(header, 16, "model.safetensors")


def test_a_sound_header_is_read(tmp_path: Path) -> None:
    text = json.dumps({"__metadata__": {"format": "pt"}, "b": entry([2], 8, 16), "a": entry([2, 1], 0, 8)}).encode()
    path = tmp_path / "sound.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(16))
    header_bytes, infos = read_header(path)
    assert header_bytes == 8 + len(text)
    assert {info.name: (info.shape, info.start) for info in infos} == {"b": ((2,), 8), "a": ((2, 1), 0)}
