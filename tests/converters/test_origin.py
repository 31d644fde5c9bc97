"""A converted file says where it comes from, as far as the folder does, and gets a name people recognize."""

from pathlib import Path
from typing import Any

import pytest

from converters import convert_draft, convert_target
from converters.file_names import draft_file_name, target_file_name
from tests.converters.checkpoints import Made, make_dflash, make_draft, make_speculators, make_target
from tests.converters.gguf_reading import Reread

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = "---\nlicense: apache-2.0\nbase_model: Qwen/Qwen3-8B-Base\n---\n"


def in_the_hubs_cache(tmp_path: Path, repository: str) -> Path:
    return tmp_path / f"models--{repository.replace('/', '--')}" / "snapshots" / COMMIT


def general(path: Path, *keys: str) -> list[Any]:
    file = Reread(path)
    return [file.value(f"general.{key}") for key in keys]


def target_file(tmp_path: Path, made: Made) -> Path:
    list(convert_target(made.folder, tmp_path / "t.gguf", output_type="Q8_0", converted_by="SparkDesk 9.9"))
    return tmp_path / "t.gguf"


def test_a_target_in_the_hubs_cache_names_repository_and_commit(tmp_path: Path) -> None:
    made = make_target(in_the_hubs_cache(tmp_path, "Qwen/Qwen3-8B"), tied=True)
    (made.folder / "README.md").write_text(CARD)
    path = target_file(tmp_path, made)
    assert general(path, "name", "basename", "size_label", "organization", "license") == [
        "Qwen3-8B", "Qwen3", "8B", "Qwen", "apache-2.0",
    ]  # fmt: skip
    assert general(path, "source.url", "source.huggingface.repository", "source.revision") == [
        "https://huggingface.co/Qwen/Qwen3-8B", "Qwen/Qwen3-8B", COMMIT,
    ]  # fmt: skip
    assert general(path, "base_model.0.name", "base_model.0.organization", "base_model.0.repo_url") == [
        "Qwen3-8B-Base", "Qwen", "https://huggingface.co/Qwen/Qwen3-8B-Base",
    ]  # fmt: skip
    assert general(path, "converted_by", "file_type") == ["SparkDesk 9.9", 7]


def test_a_folder_downloaded_by_hand_tells_its_commit(tmp_path: Path) -> None:
    made = make_target(tmp_path / "qwen", tied=True, _name_or_path="Qwen/Qwen3-0.6B")
    told = made.folder / ".cache" / "huggingface" / "download" / "config.json.metadata"
    told.parent.mkdir(parents=True)
    told.write_text(f"{COMMIT}\nanother\n1.0\n")
    found = general(target_file(tmp_path, made), "name", "size_label", "source.revision")
    assert found == ["Qwen3-0.6B", "0.6B", COMMIT]


@pytest.mark.parametrize("stated", ["/home/me/models/secret/run7", "../run7", "run7", 7, "a/b/c", "a b/c"])
def test_a_path_on_somebodys_machine_is_no_repository(tmp_path: Path, stated: object) -> None:
    made = make_target(tmp_path / "run7", tied=True, _name_or_path=stated)
    path = target_file(tmp_path, made)
    assert general(path, "source.url", "source.huggingface.repository", "source.revision") == [None, None, None]
    assert b"secret" not in path.read_bytes()


def test_a_drafts_base_model_is_its_target(tmp_path: Path) -> None:
    made = make_target(in_the_hubs_cache(tmp_path, "Qwen/Qwen3-8B"), tied=True)
    draft = make_draft(tmp_path / "anything", made, _name_or_path="Qwen/Qwen3-8B")
    list(convert_draft(draft.folder, tmp_path / "d.gguf", target=target_file(tmp_path, made), output_type="Q8_0"))
    assert general(tmp_path / "d.gguf", "name", "basename", "source.url") == ["Qwen3-8B-DSpark"] * 2 + [None]
    assert general(tmp_path / "d.gguf", "base_model.0.name", "base_model.0.repo_url") == [
        "Qwen3-8B", "https://huggingface.co/Qwen/Qwen3-8B",
    ]  # fmt: skip


def test_a_speculators_export_names_its_verifier_itself(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=True)
    draft = make_speculators(in_the_hubs_cache(tmp_path, "RedHatAI/Target-speculator.dspark"), made)
    list(convert_draft(draft.folder, tmp_path / "d.gguf", target=made.folder, output_type="Q8_0"))
    assert general(tmp_path / "d.gguf", "name", "base_model.0.name", "base_model.0.organization") == [
        "Target-speculator.dspark", "Target-3L", "Somebody",
    ]  # fmt: skip


def test_files_are_called_after_model_kind_and_type(tmp_path: Path) -> None:
    made = make_target(in_the_hubs_cache(tmp_path, "Qwen/Qwen3-8B"), tied=True)
    assert target_file_name(made.folder, "q4_k_m".upper()) == "Qwen3-8B-Q4_K_M.gguf"
    dspark, dflash = make_draft(tmp_path / "a", made), make_dflash(tmp_path / "b", made)
    assert draft_file_name(dspark.folder, made.folder, "Q8_0") == "Qwen3-8B-DSpark-Q8_0.gguf"
    assert draft_file_name(dflash.folder, target_file(tmp_path, made), "F16") == "Qwen3-8B-DFlash-F16.gguf"


@pytest.mark.parametrize(
    ("stated", "name"),
    [("Qwen3-8B-Q4_K_M", "Qwen3-8B"), ("Qwen3 8B", "Qwen3-8B"), ("../../etc/x", "etc-x"), ("a.b_c.Q8_0", "a.b_c")],
)
def test_a_targets_name_makes_a_file_name_and_nothing_else(tmp_path: Path, stated: str, name: str) -> None:
    from gguf import GGUFWriter

    made = make_target(tmp_path / "target", tied=True)
    draft = make_draft(tmp_path / "draft", made)
    writer = GGUFWriter(tmp_path / "t.gguf", "qwen3")
    writer.add_name(stated)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert draft_file_name(draft.folder, tmp_path / "t.gguf", "Q8_0") == f"{name}-DSpark-Q8_0.gguf"
