"""A conversion as a whole: shards, cancelling, metadata, and what importing the package costs."""

import subprocess
import sys
from pathlib import Path

import pytest

from converters import convert_draft, convert_target
from tests.converters.checkpoints import BLOCK, TARGET_LAYER_IDS, make_draft, make_target, split_into_shards
from tests.converters.gguf_reading import Reread


def test_shards_give_the_same_file_as_one_checkpoint(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=False)
    list(convert_target(made.folder, tmp_path / "whole.gguf", output_type="Q8_0"))
    split_into_shards(made, 3)
    list(convert_target(made.folder, tmp_path / "sharded.gguf", output_type="Q8_0"))
    assert (tmp_path / "whole.gguf").read_bytes() == (tmp_path / "sharded.gguf").read_bytes()


def test_progress_counts_every_byte_and_names_the_tensor(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=True)
    events = list(convert_target(made.folder, tmp_path / "out.gguf", output_type="F16"))
    assert [event.done for event in events] == sorted({event.done for event in events})
    assert events[-1].done == events[-1].total
    assert {event.unit for event in events} == {"bytes"}
    assert {event.detail for event in events} == Reread(tmp_path / "out.gguf").tensors.keys()


@pytest.mark.parametrize("event_count", [1, 10])
def test_closing_early_leaves_the_folder_as_it_was(tmp_path: Path, event_count: int) -> None:
    made = make_target(tmp_path / "target", tied=True)
    before = sorted(tmp_path.iterdir())
    events = convert_target(made.folder, tmp_path / "out.gguf", output_type="F16")
    for _ in range(event_count):
        next(events)
    events.close()
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_is_seen_under_the_final_name_before_the_end(tmp_path: Path) -> None:
    made = make_target(tmp_path / "target", tied=True)
    out = tmp_path / "out.gguf"
    for event in convert_target(made.folder, out, output_type="F16"):
        assert not out.exists(), event
    assert out.exists()


def test_the_model_card_says_where_the_file_comes_from(tmp_path: Path) -> None:
    made = make_target(tmp_path / "Tiny-3L", tied=True)
    card = "---\nlicense: apache-2.0\nbase_model:\n- Qwen/Qwen3-4B\ntags: [a]\n---\n# license: none\n"
    (made.folder / "README.md").write_text(card)
    list(convert_target(made.folder, tmp_path / "out.gguf", output_type="BF16"))
    file = Reread(tmp_path / "out.gguf")
    assert file.value("general.name") == "Tiny-3L"
    assert file.value("general.license") == "apache-2.0"
    assert file.value("general.base_model.0.name") == "Qwen3-4B"
    assert file.value("general.base_model.0.repo_url") == "https://huggingface.co/Qwen/Qwen3-4B"
    assert file.value("general.file_type") == 32


def test_a_draft_says_all_that_llama_cpp_asks_of_it(tmp_path: Path) -> None:
    target = make_target(tmp_path / "target", tied=True)
    draft = make_draft(tmp_path / "draft", target)
    list(convert_draft(draft.folder, tmp_path / "out.gguf", target=target.folder, output_type="Q8_0"))
    file = Reread(tmp_path / "out.gguf")
    assert file.value("general.architecture") == "dflash"
    assert file.value("dflash.target_layers") == [layer + 1 for layer in TARGET_LAYER_IDS]
    assert file.value("dflash.block_size") == BLOCK
    assert file.value("dflash.sample_from_anchor") is True
    assert file.value("dflash.has_confidence_head") is True


def test_importing_the_package_loads_no_heavy_library() -> None:
    code = "import sys, converters; print({'gguf', 'llama_cpp', 'sparkdesk', 'torch'} & sys.modules.keys())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
