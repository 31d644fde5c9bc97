"""Settings files that mean harm or are merely broken: one sentence, no recursion, no memory."""

from pathlib import Path

import pytest

from sparkdesk.config.settings import read_settings
from sparkdesk.errors import UsageError
from tests.config.fuzz_settings import KEPT_SEEDS, trial
from tests.fuzzing import timed


@pytest.mark.parametrize("value", ["1000000000000000", "1e15", "16777217", "-1", '"4096"', "true", "9" * 5000])
def test_a_context_that_no_model_has_is_refused(tmp_path: Path, value: str) -> None:
    """Memory was reckoned from 1e15 tokens, and 3 GB went into it."""
    path = tmp_path / "settings.toml"
    path.write_text(f"context_tokens = {value}\n")
    with pytest.raises(UsageError) as refused:
        read_settings(path)
    assert len(refused.value.message) < 300 + len(str(path))


@pytest.mark.parametrize("content", ["a = " + "[" * 50_000,
                                     "a = " + "{b = " * 50_000, "[" + ".".join("a" * 50_000) + "]",
                                     "keys = " + "{a = " * 500 + '"f1"' + "}" * 500])  # fmt: skip
def test_settings_without_a_bottom_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(content)
    with pytest.raises(UsageError):
        read_settings(path)


@pytest.mark.parametrize("content", ["threads = 1", "threads = 1\r\n", "# only\nthreads = 1\n"])
def test_a_byte_order_mark_is_no_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(b"\xef\xbb\xbf" + content.encode())
    assert read_settings(path).threads == 1


def test_a_file_without_an_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.touch()
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(UsageError, match="larger than"):
        read_settings(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="a device, not a file"):
        read_settings(path)


@pytest.mark.parametrize("seed", [*KEPT_SEEDS, *range(60)])
def test_settings_out_of_hostile_parts_are_read_or_refused(tmp_path: Path, seed: int) -> None:
    timed(lambda seed: trial(seed, tmp_path), seed)
