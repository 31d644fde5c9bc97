"""What is said before a load, and how many layers go onto the card."""

from dataclasses import replace
from pathlib import Path

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.engine.settings import LoadSettings
from sparkdesk.fit import FreeMemory, Layout, need_of, plan_load, size_from_header
from sparkdesk.gguf.header import read_gguf
from sparkdesk.loading import placement
from sparkdesk.loading.choice import PairFiles
from sparkdesk.loading.placement import fitted
from tests.engine.tiny_gguf import write_hybrid

GB = 1_000_000_000
HOW = LoadSettings("", context_tokens=4096)


@pytest.fixture
def files(synthetic_pair: SyntheticPair, monkeypatch: pytest.MonkeyPatch) -> PairFiles:
    monkeypatch.setattr(placement, "_ALWAYS_FITS_BYTES", 0)
    return PairFiles(synthetic_pair.target, synthetic_pair.draft)


def test_what_fits_is_not_talked_about(files: PairFiles) -> None:
    assert fitted(files, HOW, ask_free_memory=lambda: FreeMemory(8 * GB, 8 * GB)) == (HOW, None)


def test_a_context_that_does_not_fit_is_not_loaded(files: PairFiles) -> None:
    """The system's out-of-memory killer may choose another program. What fits is loaded, and told."""
    how, notice = fitted(files, replace(HOW, context_tokens=32768), ask_free_memory=lambda: FreeMemory(600_000_000))
    assert 512 <= how.context_tokens < 32768 and how.context_tokens % 256 == 0 and notice is not None
    assert f"its context has {how.context_tokens:,} tokens" in notice.text and "too little" in notice.text
    assert "--force-ctx" in notice.text and "\n" not in notice.text
    target, draft = (size_from_header(read_gguf(path)) for path in (files.target, files.draft) if path is not None)
    for context, is_room in ((how.context_tokens, True), (how.context_tokens + 256, False)):
        need = need_of(target, draft, Layout(context_tokens=context))
        assert (need.total_bytes + 500_000_000 <= 600_000_000) is is_room


def test_whoever_insists_gets_it_all_the_same(files: PairFiles) -> None:
    asked = replace(HOW, context_tokens=32768, insists_on_context=True)
    how, notice = fitted(files, asked, ask_free_memory=lambda: FreeMemory(600_000_000))
    assert how == asked and notice is not None and "too little" in notice.text


def test_where_nothing_fits_it_is_tried_with_little_context(files: PairFiles) -> None:
    """Weights are pages of a file, which the system can read again; a context is not."""
    how, notice = fitted(files, HOW, ask_free_memory=lambda: FreeMemory(10_000_000))
    assert how.context_tokens == 512 and notice is not None
    assert "too little" in notice.text and "smaller" in notice.text and "\n" not in notice.text


def test_beside_a_card_the_layers_are_counted_for_the_context_that_is_loaded(files: PairFiles) -> None:
    asked = replace(HOW, context_tokens=32768)
    how, notice = fitted(files, asked, ask_free_memory=lambda: FreeMemory(520_000_000, 640_000_000))
    assert how.context_tokens < 32768 and notice is not None and "so its context" in notice.text.lower()
    target, draft = (size_from_header(read_gguf(path)) for path in (files.target, files.draft) if path is not None)
    plan = plan_load(target, draft, FreeMemory(520_000_000, 640_000_000), context_tokens=how.context_tokens)
    assert plan.fits and how.gpu_layers in (plan.gpu_layers, -1)


@pytest.mark.parametrize(
    ("asked", "is_asked", "insists", "context", "words"),
    [
        (4096, False, False, 2048, ""),
        (4096, True, False, 2048, "was trained with 2,048 tokens, so its context has 2,048 and not 4,096; --force-ctx"),
        (1_000_000_000, True, False, 2048, "not 1,000,000,000"),
        (4096, True, True, 4096, ""),
        (2048, True, False, 2048, ""),
        (2000, True, False, 2000, ""),
        (0, True, False, 2048, ""),
        (1, True, False, 256, "A context of 1 is too short for the engine; it has 256 tokens"),
        (255, True, False, 256, "too short"),
        (16, True, True, 256, "too short"),
        (256, True, False, 256, ""),
    ],
)
def test_a_context_is_bounded_by_the_training_and_by_the_engine(
    tiny_pair: SyntheticPair, asked: int, is_asked: bool, insists: bool, context: int, words: str
) -> None:
    """Spark Tiny opened with 4,096 tokens, though trained with 2,048; 16 tokens ended the engine's process."""
    how, notice = fitted(
        PairFiles(tiny_pair.target, None),
        LoadSettings("", context_tokens=asked, is_context_asked=is_asked, insists_on_context=insists),
    )
    assert how.context_tokens == context
    assert words in notice.text if notice is not None else not words


def test_a_card_gets_as_many_layers_as_it_holds(files: PairFiles) -> None:
    how, notice = fitted(files, HOW, ask_free_memory=lambda: FreeMemory(8 * GB, 616_000_000))
    assert 0 < how.gpu_layers < 7 and notice is not None
    assert f"{how.gpu_layers} of 7 layers on the card" in notice.text


def test_a_number_of_layers_that_was_asked_for_stays(files: PairFiles) -> None:
    asked = LoadSettings("", context_tokens=4096, gpu_layers=7)
    how, notice = fitted(files, asked, ask_free_memory=lambda: FreeMemory(8 * GB, 616_000_000))
    assert how == asked and notice is not None


def test_small_pairs_and_broken_files_ask_nobody(synthetic_pair: SyntheticPair, tmp_path: Path) -> None:
    def nobody() -> FreeMemory:
        raise AssertionError("asked")

    (tmp_path / "broken.gguf").write_bytes(b"x")
    for files in (PairFiles(synthetic_pair.target, None), PairFiles(tmp_path / "broken.gguf", None)):
        assert fitted(files, HOW, ask_free_memory=nobody) == (HOW, None)


def test_layers_that_are_not_loaded_are_counted_as_llama_cpp_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins at the last layer of the file, which is the MTP layer."""
    monkeypatch.setattr(placement, "_ALWAYS_FITS_BYTES", 0)
    target = write_hybrid(tmp_path / "hybrid.gguf")
    size = size_from_header(read_gguf(target))
    how = LoadSettings("", context_tokens=262_144, insists_on_context=True)
    need = [need_of(size, None, Layout(how.context_tokens, gpu_layers=n)).gpu_bytes for n in (4, 5)]
    free = FreeMemory(64 * GB, sum(need) // 2 + 600_000_000)
    chosen, _ = fitted(PairFiles(target, None), how, ask_free_memory=lambda: free)
    assert chosen.gpu_layers == 4 + 1 and size.mtp_layers == 1
