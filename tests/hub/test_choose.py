"""Which files are wanted, as a table."""

import pytest

from sparkdesk.errors import NotOnHub, UsageError
from sparkdesk.hub.choose import checkpoint_files, choose_gguf, gguf_choices, quantization_of
from sparkdesk.hub.repository import HubFile, Repository


def repository(*paths: str) -> Repository:
    return Repository("A/B", "0" * 40, tuple(HubFile(path, len(path), f"{i:064x}") for i, path in enumerate(paths)))


@pytest.mark.parametrize(
    ("path", "quantization"),
    [
        ("Qwen3-8B-Q4_K_M.gguf", "Q4_K_M"),
        ("qwen3-8b.q8_0.gguf", "Q8_0"),
        ("gemma-4-12b-it-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("Model-IQ4_XS.gguf", "IQ4_XS"),
        ("Model-BF16-00001-of-00002.gguf", "BF16"),
        ("gemma-4-12B-it-qat-Q4_0.gguf", "Q4_0"),
        ("Model.gguf", ""),
        ("Q8_0/Model-Q8_0-00001-of-00002.gguf", "Q8_0"),
    ],
)
def test_a_quantization_is_read_from_the_name(path: str, quantization: str) -> None:
    assert quantization_of(path) == quantization


def test_what_lies_beside_a_target_is_not_one() -> None:
    beside = ("mmproj-model-F16.gguf", "M-DSpark-Q8_0.gguf", "mtp-M-Q8_0.gguf", "MTP/M-Q4_0.gguf", "M.imatrix.gguf")
    (choice,) = gguf_choices(repository("M-Q4_K_M.gguf", *beside))
    assert choice.quantization == "Q4_K_M"


def test_a_name_that_only_begins_like_a_draft_is_a_target() -> None:
    assert gguf_choices(repository("smtp-writer-Q4_K_M.gguf"))


def test_a_draft_is_chosen_where_one_is_wanted() -> None:
    both = repository("M-Q8_0.gguf", "M-DSpark-Q8_0.gguf")
    assert choose_gguf(both, is_draft=True).files[0].path == "M-DSpark-Q8_0.gguf"


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("mtp-M.gguf", "eagle3-M.gguf", "dflash-M.gguf", "dspark-M.gguf"), "dspark-M.gguf"),
        (("mtp-M.gguf", "eagle3-M.gguf", "M-DFlash-F16.gguf"), "M-DFlash-F16.gguf"),
        (("mtp-M-Q4_0.gguf", "M-eagle3-Q8_0.gguf", "M-eagle3-F16.gguf"), "M-eagle3-Q8_0.gguf"),
        (("M-DSpark-Q4_K_M.gguf", "M-DSpark-Q8_0.gguf"), "M-DSpark-Q8_0.gguf"),
        (("MTP/M-Q4_0.gguf",), "MTP/M-Q4_0.gguf"),
    ],
)
def test_of_several_drafts_the_best_kind_is_chosen(names: tuple[str, ...], chosen: str) -> None:
    found = choose_gguf(repository("M-Q4_K_M.gguf", *names), is_draft=True)
    assert found.files[0].path == chosen


def test_without_a_wish_the_usual_one_is_taken_then_the_only_one() -> None:
    assert choose_gguf(repository("M-Q8_0.gguf", "M-Q4_K_M.gguf")).quantization == "Q4_K_M"
    assert choose_gguf(repository("M-Q8_0.gguf")).quantization == "Q8_0"
    with pytest.raises(UsageError, match=r"Q5_K_M.*Q8_0|Q8_0.*Q5_K_M"):
        choose_gguf(repository("M-Q8_0.gguf", "M-Q5_K_M.gguf"))


def test_a_repository_without_a_model_is_refused() -> None:
    with pytest.raises(NotOnHub):
        choose_gguf(repository("README.md", "mmproj-F16.gguf"))


def test_a_checkpoint_is_what_a_converter_reads_small_files_first() -> None:
    files = repository(
        "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json",
        "config.json", "tokenizer.json", "chat_template.jinja", "README.md", "original/params.json", "consolidated.pth",
        "model.safetensors", "training_args.bin",
    )  # fmt: skip
    chosen = [file.path for file in checkpoint_files(files)]
    assert chosen[-2:] == ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    assert set(chosen[:-2]) == {
        "model.safetensors.index.json", "config.json", "tokenizer.json", "chat_template.jinja", "README.md",
    }  # fmt: skip


def test_pickled_weights_are_no_checkpoint() -> None:
    with pytest.raises(NotOnHub):
        checkpoint_files(repository("config.json", "pytorch_model.bin"))
