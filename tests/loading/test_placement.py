"""What is said before a load, and how many layers go onto the card."""

from pathlib import Path

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.engine.settings import LoadSettings
from sparkdesk.fit import FreeMemory
from sparkdesk.loading import placement
from sparkdesk.loading.choice import PairFiles
from sparkdesk.loading.placement import fitted

GB = 1_000_000_000
HOW = LoadSettings("", context_tokens=4096)


@pytest.fixture
def files(synthetic_pair: SyntheticPair, monkeypatch: pytest.MonkeyPatch) -> PairFiles:
    monkeypatch.setattr(placement, "_SURE_TO_FIT_BYTES", 0)
    return PairFiles(synthetic_pair.target, synthetic_pair.draft)


def test_what_fits_is_not_talked_about(files: PairFiles) -> None:
    assert fitted(files, HOW, ask_room=lambda: FreeMemory(8 * GB, 8 * GB)) == (HOW, None)


def test_what_does_not_fit_is_said_in_one_line_and_tried_all_the_same(files: PairFiles) -> None:
    how, notice = fitted(files, HOW, ask_room=lambda: FreeMemory(10_000_000))
    assert how == HOW and notice is not None
    assert "too little" in notice.text and "smaller" in notice.text and "\n" not in notice.text


def test_a_card_gets_as_many_layers_as_it_holds(files: PairFiles) -> None:
    how, notice = fitted(files, HOW, ask_room=lambda: FreeMemory(8 * GB, 616_000_000))
    assert 0 < how.gpu_layers < 7 and notice is not None
    assert f"{how.gpu_layers} of 7 layers on the card" in notice.text


def test_a_number_of_layers_that_was_asked_for_stays(files: PairFiles) -> None:
    asked = LoadSettings("", context_tokens=4096, gpu_layers=7)
    how, notice = fitted(files, asked, ask_room=lambda: FreeMemory(8 * GB, 616_000_000))
    assert how == asked and notice is not None


def test_small_pairs_and_broken_files_ask_nobody(synthetic_pair: SyntheticPair, tmp_path: Path) -> None:
    def nobody() -> FreeMemory:
        raise AssertionError("asked")

    (tmp_path / "broken.gguf").write_bytes(b"x")
    for files in (PairFiles(synthetic_pair.target, None), PairFiles(tmp_path / "broken.gguf", None)):
        assert fitted(files, HOW, ask_room=nobody) == (HOW, None)
