"""What the library says about folders written down here."""

import json
import os
from pathlib import Path

import pytest
from filelock import FileLock

from sparkdesk.gguf.header import peek_gguf, read_gguf
from sparkdesk.hub_layout import lock_of
from sparkdesk.library.model import quantization_of
from sparkdesk.library.model_dirs import HUB, Place, find_places, hub_cache, mark_used, repository_of
from tests.library.conftest import Home
from tests.library.gguf_samples import write_draft, write_split, write_target


def test_targets_and_drafts_are_told_apart_and_paired(home: Home) -> None:
    target, draft = write_target(home.folder / "T-Q4_K_M.gguf"), write_draft(home.paths.models / "D.gguf")
    other = write_target(home.folder / "wide.gguf", width=64)
    library = home.read()
    assert [model.path for model in library.targets] == [target, other]
    assert [(model.path, model.quantization) for model in library.drafts] == [(draft, "Q8_0")]
    (pair,) = library.pairs
    assert pair.target is not None and pair.target.path == target and not pair.is_built
    assert library.model("t-q4_k_m") is library.model(target) is pair.target
    assert pair.target.quantization == "Q4_K_M" and pair.target.parameter_count == 16 * 32


def test_a_built_pair_points_at_files_elsewhere(home: Home) -> None:
    target = home.downloaded("Org/T-GGUF", write_target(home.folder / "T.gguf"))
    folder = home.paths.models / "mine"
    write_draft(folder / "draft.gguf")
    (folder / "pair.json").write_text(json.dumps({"name": "mine", "target": str(target), "draft": "draft.gguf"}))
    library = home.read()
    (pair,) = library.pairs
    assert pair.is_built and not pair.problem and len(pair.models) == 2
    assert pair.target is not None and pair.target.repo == "Org/T-GGUF"
    os.unlink(target)
    assert "target" in home.read().pairs[0].problem and "missing" in home.read().pairs[0].problem


def test_a_folder_with_both_files_is_a_pair_without_a_record(home: Home) -> None:
    folder = home.paths.models / "spark-tiny-0123456789ab"
    write_target(folder / "target.gguf")
    write_draft(folder / "draft.gguf")
    assert [(pair.name, pair.is_built) for pair in home.read().pairs] == [("spark-tiny", True)]


def test_links_are_not_counted_twice(home: Home) -> None:
    link = home.downloaded("Org/T", write_target(home.folder / "T.gguf"))
    home.downloaded("Org/T", Path("T.gguf"), revision="later")
    (home.folder / "again.gguf").symlink_to(link)
    os.link(link.resolve(), home.folder / "hard.gguf")
    (home.folder / "nowhere.gguf").symlink_to(home.folder / "gone")
    assert [model.path for model in home.read().models] == [link]


def test_the_same_bytes_twice_are_said(home: Home) -> None:
    first = write_target(home.paths.models / "A.gguf")
    second = home.folder / "B.gguf"
    second.write_bytes(first.read_bytes())
    assert [model.same_as for model in home.read().models] == [None, first]


def test_a_split_model_is_one_and_its_missing_parts_are_named(home: Home) -> None:
    paths = write_split(home.folder, "Big-Q4_K_M", 3)
    (model,) = home.read().models
    assert model.path == paths[0] and model.files == tuple(paths) and model.name == "Big-Q4_K_M"
    assert model.size_bytes == sum(path.stat().st_size for path in paths)
    assert model.header is not None and len(model.header.tensors) == 3
    paths[1].unlink()
    assert "these are missing: 2." in home.read().models[0].problem


@pytest.mark.parametrize("content", [b"", b"GGUF", b"no model at all" * 100])
def test_broken_files_are_shown_as_such(home: Home, content: bytes) -> None:
    (home.folder / "broken.gguf").write_bytes(content)
    (model,) = home.read().models
    assert model.problem and not model.is_usable


def test_a_file_cut_short_is_broken(home: Home) -> None:
    path = write_target(home.folder / "T.gguf")
    path.write_bytes(path.read_bytes()[:-40])
    assert "cut short" in home.read().models[0].problem


def test_an_early_draft_is_listed_with_what_to_do(home: Home) -> None:
    write_draft(home.folder / "old.gguf", architecture="dspark")
    assert "convert it again" in home.read().drafts[0].problem


def test_headers_are_read_again_only_when_a_file_changed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_target(home.folder / "T.gguf")
    before = home.read()
    monkeypatch.setattr("sparkdesk.library.headers.peek_gguf", lambda path: pytest.fail("read again"))
    assert home.read() == before
    monkeypatch.undo()
    write_target(path, width=64)
    header = home.read().models[0].header
    assert header is not None and header.metadata["qwen3.embedding_length"] == 64


@pytest.mark.parametrize(
    "content", ["", "[]", '{"format": 1}', '{"format": 0, "files": 3}', "\0", '{"format":1,"files":{}}']
)
def test_a_broken_cache_is_an_empty_one(home: Home, content: str) -> None:
    write_target(home.folder / "T.gguf")
    home.paths.headers_file.parent.mkdir(parents=True, exist_ok=True)
    home.paths.headers_file.write_text(content)
    assert home.read().targets


def test_what_was_loaded_is_remembered_and_what_is_gone_forgotten(home: Home) -> None:
    path, gone = write_target(home.folder / "T.gguf"), write_target(home.folder / "gone.gguf")
    mark_used(home.paths.last_used_file, [path, gone], now_s=5.0)
    gone.unlink()
    mark_used(home.paths.last_used_file, [path], now_s=7.0)
    assert home.read().models[0].last_used_s == 7.0
    assert "gone" not in home.paths.last_used_file.read_text()


def test_unfinished_files_are_listed_with_whether_they_are_in_use(home: Home) -> None:
    left, fresh = home.paths.models / ".pair.12.part", home.paths.models / ".other.34.part"
    left.mkdir()
    (left / ".t.gguf.part").write_bytes(b"12345")
    fresh.write_bytes(b"123")
    for path in (left / ".t.gguf.part", left):
        os.utime(path, (1, 1))
    killed, running = (home.snapshot("Org/T").parents[1] / "blobs" / f"{name}.incomplete" for name in ("abc", "def"))
    killed.parent.mkdir(parents=True)
    for download in (killed, running):
        download.write_bytes(b"1")
    (home.folder / "stranger.part").write_bytes(b"1")
    lock = lock_of(running)
    assert lock is not None
    with FileLock(lock, timeout=5):  # as the hub's own programs take it; a killed one leaves the file, not the lock
        found = {each.path: (each.size_bytes, each.is_in_use) for each in home.read().partials}
    assert found == {left: (5, False), fresh: (3, True), killed: (1, False), running: (1, True)}
    assert not any(each.is_in_use for each in home.read().partials if each.path == running)


def test_a_glance_sees_what_a_reader_sees(tmp_path: Path) -> None:
    """Its vocabulary is long enough to be jumped over, and holds the very text that is looked for."""
    words = [f"word{i}" for i in range(9000)]
    path = write_target(tmp_path / "big.gguf", vocabulary=[*words[:5000], "tokenizer.ggml.x", *words[5000:]])
    peeked, read = peek_gguf(path), read_gguf(path)
    assert (peeked.metadata, peeked.tensors) == (read.metadata, read.tensors)


def test_a_quantization_nobody_wrote_down_is_read_off_the_tensors(tmp_path: Path) -> None:
    header = read_gguf(write_target(tmp_path / "t.gguf", file_type=999))
    assert quantization_of(header) == "F16"


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, "home/.cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub"),
        ({"HF_HOME": "/h"}, "/h/hub"),
        ({"HF_HOME": "/h", "HF_HUB_CACHE": "/c"}, "/c"),
    ],
)
def test_the_hubs_cache_is_found_as_the_hub_finds_it(environment: dict[str, str], folder: str) -> None:
    assert hub_cache(environment, Path("home")) == Path(folder)


def test_places_are_those_that_exist_each_once(tmp_path: Path) -> None:
    for name in ("ours", ".lmstudio/models", "mine"):
        (tmp_path / name).mkdir(parents=True)
    named = [str(tmp_path / "mine"), str(tmp_path / "ours"), str(tmp_path / "none")]
    places = find_places(tmp_path / "ours", named, environment={}, home=tmp_path)
    assert [place.kind for place in places] == ["ours", "lm studio", "folder"]


def test_a_repository_is_named_by_its_folder() -> None:
    place = Place(Path("/hub"), HUB)
    assert repository_of(Path("/hub/models--Qwen--Qwen3-8B-GGUF/snapshots/a/f.gguf"), place) == "Qwen/Qwen3-8B-GGUF"


@pytest.mark.parametrize("architecture", ["eagle3", "gemma4-assistant"])
def test_every_kind_of_draft_is_a_draft(home: Home, architecture: str) -> None:
    write_draft(home.paths.models / "D.gguf", architecture=architecture)
    assert [model.role for model in home.read().models] == ["draft"]
