"""The fit of every kind of drafter against what llama.cpp really allocates."""

from pathlib import Path

import pytest

from sparkdesk.bench.lab.memory import measure, predicted_bytes
from sparkdesk.engine.drafters import eagle3, mtp, small_model
from sparkdesk.engine.settings import MTP, ROLLBACK_STATES, LoadSettings
from sparkdesk.fit import FreeMemory, Layout, model_size, mtp_size, need, need_of, size_from_header
from sparkdesk.gguf.header import read_gguf
from sparkdesk.loading.choice import PairFiles
from sparkdesk.loading.placement import fitted, sizes_of
from tests.engine.tiny_drafts import Eagle3Shape, Gemma4Shape, write_assistant_pair, write_eagle3_pair
from tests.engine.tiny_gguf import HybridShape, write_hybrid, write_plain

EAGLE3 = Eagle3Shape(hidden=256, feed_forward=512, kv_heads=2, head_dim=64, vocabulary=4000)
GEMMA4 = Gemma4Shape(hidden=256, draft_hidden=128, head_dim=128, sliding_head_dim=64, feed_forward=512, vocabulary=4000)
HYBRID = HybridShape(hidden=256, feed_forward=512, head_dim=64, vocabulary=4000, key_heads=2, value_heads=4, state=128)


def files_of(kind: str, folder: Path) -> tuple[Path, Path | str | None]:
    match kind:
        case "mtp":
            return write_hybrid(folder / "hybrid.gguf", shape=HYBRID), MTP
        case "hybrid alone":
            return write_hybrid(folder / "hybrid.gguf", shape=HYBRID), None
        case "assistant":
            return write_assistant_pair(folder, shape=GEMMA4)
        case "small":
            target = write_plain(folder / "target.gguf", hidden=256, layers=6, vocabulary=4000)
            return target, write_plain(folder / "draft.gguf", hidden=128, layers=2, vocabulary=4000)
    pair = write_eagle3_pair(folder, draft_vocabulary=1000 if "reduced" in kind else 0, shape=EAGLE3)
    return pair.target, pair.draft


@pytest.mark.native
@pytest.mark.parametrize("kind", ["small", "eagle3", "eagle3 reduced", "assistant", "mtp", "hybrid alone"])
@pytest.mark.parametrize("context_tokens", [512, 4096])
def test_what_was_predicted_is_allocated(tmp_path: Path, kind: str, context_tokens: int) -> None:
    target, draft = files_of(kind, tmp_path)
    measured = measure(target, draft, context_tokens).total_bytes
    assert predicted_bytes(target, draft, context_tokens) == pytest.approx(measured, rel=0.03)


def test_the_arithmetic_knows_the_engine_s_own_numbers() -> None:
    assert (need._STEPS, need._STEPS, need._MTP_STEPS) == (eagle3.BLOCK_SIZE, small_model.BLOCK_SIZE, mtp.BLOCK_SIZE)
    assert (model_size.ROLLBACK_STATES, model_size.MTP) == (ROLLBACK_STATES, MTP)


def test_mtp_is_counted_where_it_drafts_and_only_there(tmp_path: Path) -> None:
    target = write_hybrid(tmp_path / "hybrid.gguf", shape=HYBRID)
    header = read_gguf(target)
    alone, layer = size_from_header(header), mtp_size(header)
    assert layer is not None and len(alone.layers) == HYBRID.layers
    file_bytes = sum(place.size_bytes for place in header.tensors.values())
    assert alone.weights_bytes + layer.weights_bytes == file_bytes
    assert sizes_of(PairFiles(target, None)) == (alone, None)
    assert sizes_of(PairFiles(target, None, MTP)) == (alone, layer)
    assert mtp_size(read_gguf(write_plain(tmp_path / "plain.gguf"))) is None


def test_a_long_context_is_shortened_for_the_mtp_layer_too(tmp_path: Path) -> None:
    target = write_hybrid(tmp_path / "hybrid.gguf", shape=HYBRID)
    sizes = sizes_of(PairFiles(target, None, MTP))
    assert sizes[0] is not None
    how = LoadSettings("", context_tokens=1 << 20, insists_on_context=True)
    free = need_of(sizes[0], sizes[1], Layout(how.context_tokens)).total_bytes
    settings, notice = fitted(
        PairFiles(target, None, MTP), LoadSettings("", context_tokens=4096), ask_free_memory=lambda: FreeMemory(free)
    )
    assert settings.context_tokens == 4096 and notice is None
