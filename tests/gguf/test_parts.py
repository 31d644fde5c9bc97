"""A split model counts as a whole, wherever its first part is named."""

from pathlib import Path

import pytest

from sparkdesk.errors import ModelLoadError
from sparkdesk.fit import size_from_header
from sparkdesk.gguf.header import read_gguf
from sparkdesk.gguf.parts import glance_model
from sparkdesk.loading.choice import PairFiles
from sparkdesk.loading.placement import sizes_of
from tests.library.gguf_samples import write_split, write_target


def test_the_weights_of_all_parts_are_counted(tmp_path: Path) -> None:
    parts = write_split(tmp_path, "large", 3)
    headers = [read_gguf(path) for path in parts]
    whole = {name for header in headers for name in header.tensors}
    found = glance_model(parts[0])
    assert set(found.tensors) == whole and found.path == parts[0]
    size, _ = sizes_of(PairFiles(parts[0], None))
    assert size is not None and size == size_from_header(found)


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    parts = write_split(tmp_path, "large", 3)
    parts[1].unlink()
    with pytest.raises(ModelLoadError, match=r"large-00002-of-00003\.gguf"):
        glance_model(parts[0])


def test_a_name_alone_splits_nothing(tmp_path: Path) -> None:
    path = write_target(tmp_path / "m-00001-of-00004.gguf")
    assert glance_model(path).tensors == read_gguf(path).tensors
