"""Gemma 4 in the engine: tokens it must not say, and sliding windows that are cut back safely."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from converters.convert import convert_target
from sparkdesk.engine.block import FloatArray
from sparkdesk.engine.interfaces import BATCH_ROWS
from sparkdesk.engine.llama import Context
from sparkdesk.engine.pair import Pair
from sparkdesk.engine.settings import Control, GenerationSettings, LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.engine.speculate import generate
from sparkdesk.engine.window import WindowPlan
from sparkdesk.errors import EngineError
from tests.converters.gemma4_checkpoints import make_gemma4_target
from tests.engine.tables import collect

pytestmark = pytest.mark.native

CONTEXT = 2048
STEP = 238


@pytest.fixture(scope="module")
def target_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gemma4")
    make_gemma4_target(folder / "target")
    for _ in convert_target(folder / "target", folder / "target.gguf", output_type="F32"):
        pass
    return folder / "target.gguf"


@pytest.fixture
def pair(target_path: Path) -> Iterator[Pair]:
    with Pair.open(LoadSettings(str(target_path), context_tokens=CONTEXT, threads=1)) as opened:
        yield opened


@pytest.fixture
def narrow(target_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """Keeps little more than the window."""
    monkeypatch.setattr("sparkdesk.engine.pair.plan_window", lambda *given, **more: WindowPlan(False, "cut short"))
    with Pair.open(LoadSettings(str(target_path), context_tokens=CONTEXT, threads=1)) as opened:
        yield opened


def tokens(count: int, seed: int = 0) -> list[int]:
    return [int(token) for token in np.random.default_rng(seed).integers(40, 500, count)]


def decode(pair: Pair, text: list[int], *, step: int = STEP) -> FloatArray:
    """Logits after `text`, appended in passes of equal size: the size of a pass shows in the last bits."""
    for start in range(0, len(text), step):
        row = pair.target.decode(text[start : start + step], all_rows=False)[0]
    found: FloatArray = row.copy()
    return found


def test_tokens_it_must_not_say_are_never_said(pair: Pair) -> None:
    forbidden = list(pair._model.suppressed_tokens)
    assert forbidden
    rows = pair.target.decode(tokens(12), all_rows=True)
    assert np.isneginf(rows[:, forbidden]).all()
    assert np.isfinite(np.delete(rows, forbidden, axis=1)).all()
    pair.target.truncate(0)
    hot = SamplingSettings(temperature=50.0, top_k=0, top_p=1.0, seed=3)
    off = SpeculationSettings(is_enabled=False)
    settings = GenerationSettings(max_tokens=1500, sampling=hot, speculation=off)
    said = collect(generate(pair, tokens(8), settings, Control(off))).tokens
    assert len(set(said)) > 400 and not set(forbidden) & set(said)


def test_a_window_is_cut_back_only_as_far_as_the_cache_reaches(narrow: Pair) -> None:
    """llama.cpp says it can keep the first 200 of 1,190 tokens, and then lacks what the window looks back to."""
    text, near = tokens(5 * STEP), tokens(6, seed=1)
    decode(narrow, text)
    fresh = decode(narrow, near)
    narrow.target.truncate(0)
    decode(narrow, [*text, *tokens(10, seed=2)])
    narrow.target.truncate(len(text))
    assert narrow.target.length == len(text)
    assert decode(narrow, near) == pytest.approx(fresh, abs=1e-4)
    narrow.target.truncate(200)
    assert narrow.target.length == 0, "cut back further than the cache reaches, it must be read again"


def test_a_pass_that_fails_on_a_short_window_leaves_cache_and_tokens_alike(
    narrow: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pass had overwritten what the window looks back to, and the tokens said that it was all there."""
    text, near = tokens(5 * STEP), tokens(6, seed=1)
    fresh = decode(narrow, [*text, *near])
    narrow.target.truncate(0)
    decode(narrow, text)
    with monkeypatch.context() as patch:
        patch.setattr(Context, "logits", fail)
        for seed in range(4):
            with pytest.raises(EngineError):
                narrow.target.decode(tokens(BATCH_ROWS, seed=seed), all_rows=False)
    missing = [*text, *near][narrow.target.length :]
    assert decode(narrow, missing) == pytest.approx(fresh, abs=1e-4)


def fail(context: Context, count: int) -> FloatArray:
    raise EngineError("llama.cpp returned no output for the last pass.")


def test_a_whole_cache_is_cut_back_anywhere(pair: Pair) -> None:
    begin, other = tokens(STEP), tokens(50, seed=2)
    decode(pair, begin)
    fresh = decode(pair, other)
    pair.target.truncate(0)
    decode(pair, [*begin, *tokens(4 * STEP, seed=1)])
    pair.target.truncate(STEP)
    assert pair.target.length == STEP
    assert decode(pair, other) == pytest.approx(fresh, abs=1e-4)


def test_what_was_given_up_for_memory_is_said(narrow: Pair) -> None:
    assert narrow.info.memory_note == "cut short"
