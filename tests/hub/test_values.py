"""The pure parts: what a user may type, how long to wait, whether there is room."""

from pathlib import Path

import pytest

from sparkdesk.errors import AccessRefused, BrokenDownload, DiskFull, HubBusy, HubUnreachable, UsageError
from sparkdesk.hub.download import Need, Rate, check_space
from sparkdesk.hub.explain import Refusal, explain
from sparkdesk.hub.repository import HubFile
from sparkdesk.hub.retry import RetryPolicy
from sparkdesk.hub.source import HubSource, LocalSource, read_source


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ("Qwen/Qwen3-8B", HubSource("Qwen/Qwen3-8B")),
        ("Qwen/Qwen3-8B-GGUF:q8_0", HubSource("Qwen/Qwen3-8B-GGUF", "q8_0")),
        ("Qwen/Qwen3-8B-GGUF/a/b.gguf", HubSource("Qwen/Qwen3-8B-GGUF", "", "a/b.gguf")),
        ("https://huggingface.co/Qwen/Qwen3-8B-GGUF", HubSource("Qwen/Qwen3-8B-GGUF")),
        ("hf.co/Qwen/Qwen3-8B-GGUF:Q4_K_M", HubSource("Qwen/Qwen3-8B-GGUF", "Q4_K_M")),
        ("https://huggingface.co/A/B/blob/main/x.gguf?download=true", HubSource("A/B", "", "x.gguf")),
    ],
)
def test_a_repository_may_be_written_in_many_ways(given: str, source: HubSource) -> None:
    assert read_source(given) == source


@pytest.mark.parametrize("given", ["", "x", "a/b/c", "./none", "/none/at/all", "~/none", "a b/c", "../x/y"])
def test_what_is_neither_a_path_nor_a_name_is_refused(given: str) -> None:
    with pytest.raises(UsageError):
        read_source(given)


def test_what_exists_is_a_path(tmp_path: Path) -> None:
    assert read_source(str(tmp_path)) == LocalSource(tmp_path)


def test_waits_grow_and_end() -> None:
    retry, down = RetryPolicy(tries=4, first_wait_s=1.0), HubUnreachable("down")
    assert [retry.wait_s(down, failures) for failures in (1, 2, 3, 4)] == [1.0, 2.0, 4.0, None]


def test_a_pause_that_was_asked_for_is_kept_unless_it_is_absurd() -> None:
    retry = RetryPolicy(longest_asked_s=600)
    assert retry.wait_s(HubBusy("", wait_s=0.0), 1) == 0.0
    assert retry.wait_s(HubBusy("", wait_s=30.0), 3) == 30.0
    assert retry.wait_s(HubBusy("", wait_s=601.0), 1) is None


def test_who_is_logged_in_is_not_told_to_log_in() -> None:
    gated = Refusal(403, "GatedRepo")
    told = explain(gated, repository="A/B", page="https://hub/A/B", has_token=True)
    assert isinstance(told, AccessRefused) and "auth login" not in str(told) and "https://hub/A/B" in str(told)


def test_needs_on_one_disk_are_added_up(tmp_path: Path) -> None:
    needs = (Need("the download", tmp_path, 6 * 10**9), Need("converting", tmp_path / "not" / "yet", 5 * 10**9))
    check_space(needs, lambda folder: 12 * 10**9)
    with pytest.raises(DiskFull, match=r"6\.0 GB for the download and 5\.0 GB for converting"):
        check_space(needs, lambda folder: 11 * 10**9)


def test_nothing_to_write_needs_no_room(tmp_path: Path) -> None:
    check_space((Need("the download", tmp_path, 0),), lambda folder: 0)


def test_a_rate_is_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.at(0.0, 0) == 0.0
    assert rate.at(1.0, 100) == 100.0
    assert [rate.at(float(second), 100) for second in range(2, 20)][-1] == 0.0


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "C:/x", "a\\b"])
def test_a_file_stays_in_its_folder(path: str) -> None:
    with pytest.raises(BrokenDownload):
        HubFile(path, 1, "0" * 64)


def test_a_file_without_a_checksum_is_refused() -> None:
    with pytest.raises(BrokenDownload):
        HubFile("x", 1, "abc")
