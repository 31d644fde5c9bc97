"""Drafts beside their target, by the names that launchers look for, and only where the headers fit."""

from pathlib import Path

import pytest

from sparkdesk.gguf.header import read_gguf
from sparkdesk.gguf.pairing import draft_problem, problem
from sparkdesk.library.sidecars import sidecar_of
from sparkdesk.loading.choice import chosen_pair
from tests.engine.tiny_gguf import write_hybrid
from tests.library.gguf_samples import write_draft, write_target


def files_of(target: Path, draft: str | None = None) -> Path | None:
    prepared = chosen_pair(str(target), draft).prepare()
    try:
        while True:
            next(prepared)
    except StopIteration as ended:
        assert ended.value.is_found == (ended.value.draft is not None and draft is None)
        found: Path | None = ended.value.draft
        return found


@pytest.mark.parametrize(
    "name", ["dspark-m.gguf", "M-DSpark-Q8_0.gguf", "dflash-m.gguf", "m.dspark.gguf", "Eagle3-m.gguf"]
)
def test_it_is_found_by_its_name(name: str, tmp_path: Path) -> None:
    target, draft = write_target(tmp_path / "m.gguf"), write_draft(tmp_path / name)
    assert sidecar_of(target) == files_of(target) == draft


@pytest.mark.parametrize("name", ["draft.gguf", "adspark-m.gguf", "smtp.gguf", "m.gguf.dspark", "notes-mtp.txt"])
def test_other_names_are_left_alone(name: str, tmp_path: Path) -> None:
    target = write_target(tmp_path / "m.gguf")
    write_draft(tmp_path / name)
    assert sidecar_of(target) is None and files_of(target) is None


def test_what_does_not_fit_is_passed_over(tmp_path: Path) -> None:
    target = write_target(tmp_path / "m.gguf")
    write_draft(tmp_path / "dspark-m.gguf", width=64)
    (tmp_path / "dspark-broken.gguf").write_bytes(b"GGUF" + bytes(20))
    write_target(tmp_path / "dspark-distilled-m.gguf")  # an ordinary model that is only called so
    (tmp_path / "dspark-folder.gguf").mkdir()
    assert sidecar_of(target) is None


def test_the_likest_name_goes_first(tmp_path: Path) -> None:
    target = write_target(tmp_path / "Model-8B-Q4_K_M.gguf")
    write_draft(tmp_path / "dspark-Model-4B.gguf")
    wanted = write_draft(tmp_path / "dspark-Model-8B.gguf")
    assert sidecar_of(target) == wanted


def test_an_mtp_layer_beside_its_model_is_found_too(tmp_path: Path) -> None:
    target = write_hybrid(tmp_path / "m.gguf")
    mtp = write_hybrid(tmp_path / "mtp-m.gguf", has_trunk=False)
    assert sidecar_of(target) == mtp
    assert sidecar_of(mtp) is None


def test_what_was_named_goes_before_what_lies_there(tmp_path: Path) -> None:
    target, named = write_target(tmp_path / "m.gguf"), write_draft(tmp_path / "other" / "d.gguf")
    write_draft(tmp_path / "dspark-m.gguf")
    assert files_of(target, str(named)) == named


def test_conventions_that_nothing_loads_are_refused_by_name(tmp_path: Path) -> None:
    old = read_gguf(write_draft(tmp_path / "dspark-old.gguf", architecture="dspark"))
    assert "dspark-old.gguf is in the early 'dspark' format" in draft_problem(old)
    bare = read_gguf(write_draft(tmp_path / "dspark-bare.gguf"))
    del bare.metadata["tokenizer.ggml.tokens"]
    target = read_gguf(write_target(tmp_path / "m.gguf"))
    assert "dspark-bare.gguf brings no tokenizer" in problem(target, bare)
    assert "sparkdesk convert draft" in problem(target, bare)
