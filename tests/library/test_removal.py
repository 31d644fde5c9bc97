"""Removing says what else is lost, takes exactly what it said, and leaves other programs' files alone."""

import json
import os
from pathlib import Path

import pytest

from sparkdesk.errors import UsageError
from sparkdesk.library.removal import plan_removal, plan_sweep, remove
from tests.library.conftest import Home
from tests.library.gguf_samples import write_draft, write_split, write_target


def build(home: Home, name: str, target: Path, draft: Path | None = None) -> Path:
    folder = home.paths.models / name
    folder.mkdir()
    draft = draft or write_draft(folder / "draft.gguf")
    (folder / "pair.json").write_text(json.dumps({"name": name, "target": str(target), "draft": str(draft)}))
    return folder


def test_a_pair_goes_with_its_folder_and_its_shared_target_stays(home: Home) -> None:
    target = home.downloaded("Org/T", write_target(home.folder / "T.gguf"))
    folder = build(home, "mine", target)
    plan = plan_removal(home.read(), "MINE")
    assert plan.folders == (folder,) and plan.kept == (target,) and not plan.outside and not plan.losers
    remove(plan)
    assert not folder.exists() and target.exists() and home.paths.models.exists()


def test_removing_a_target_names_the_pairs_that_lose_it(home: Home) -> None:
    target = write_target(home.folder / "T.gguf")
    build(home, "one", target)
    build(home, "two", target, write_draft(home.folder / "D.gguf"))
    plan = plan_removal(home.read(), "T")
    assert plan.losers == ("one", "two") and plan.files == (target,)
    assert plan.outside == (f"your folder {home.folder}",)


def test_a_pair_whose_draft_another_pair_uses_says_so(home: Home) -> None:
    target = write_target(home.folder / "T.gguf")
    folder = build(home, "one", target)
    build(home, "two", target, folder / "draft.gguf")
    assert plan_removal(home.read(), "one").losers == ("two",)


def test_the_last_file_of_a_repository_takes_its_folder_along(home: Home) -> None:
    first = home.downloaded("Org/T", write_target(home.folder / "A.gguf"))
    home.downloaded("Org/T", Path("A.gguf"), revision="later")
    second = home.downloaded("Org/T", write_target(home.folder / "B.gguf", width=64))
    plan = plan_removal(home.read(), str(first))
    assert "cache" in plan.outside[0]
    blob = first.resolve()
    remove(plan)
    assert not blob.exists() and not home.snapshot("Org/T", "later").exists() and second.exists()
    remove(plan_removal(home.read(), "B"))
    assert list(home.hub.iterdir()) == []


def test_all_parts_of_a_split_model_go_and_folders_left_empty(home: Home) -> None:
    (home.folder / "sub").mkdir()
    write_split(home.folder / "sub", "Big", 3)
    remove(plan_removal(home.read(), "big"))
    assert home.folder.exists() and list(home.folder.iterdir()) == []


def test_a_broken_file_can_be_removed_by_name(home: Home) -> None:
    (home.folder / "broken.gguf").write_bytes(b"x")
    remove(plan_removal(home.read(), "broken"))
    assert not home.read().models


def test_two_models_of_one_name_are_told_apart_by_their_files(home: Home) -> None:
    first, second = write_target(home.folder / "a" / "T.gguf"), write_target(home.folder / "b" / "T.gguf", width=64)
    with pytest.raises(UsageError, match="2 models are called T"):
        plan_removal(home.read(), "T")
    remove(plan_removal(home.read(), str(first)))
    assert second.exists() and not first.exists()


def test_a_link_to_a_file_elsewhere_goes_and_the_file_stays(home: Home, tmp_path: Path) -> None:
    real = write_target(tmp_path / "elsewhere" / "T.gguf")
    (home.folder / "T.gguf").symlink_to(real)
    remove(plan_removal(home.read(), "T"))
    assert real.exists() and not (home.folder / "T.gguf").is_symlink()


def test_only_what_nobody_is_writing_is_swept(home: Home) -> None:
    old, fresh = home.paths.models / ".a.part", home.paths.models / ".b.part"
    for path in (old, fresh):
        path.write_bytes(b"1")
    os.utime(old, (1, 1))
    remove(plan_sweep(home.read()))
    assert not old.exists() and fresh.exists()
    remove(plan_removal(home.read(), str(fresh)))
    assert not fresh.exists()


def test_what_is_not_there_cannot_be_removed(home: Home) -> None:
    with pytest.raises(UsageError, match="There is no pair, model or incomplete download called x"):
        plan_removal(home.read(), "x")
