"""An MTP layer in a file of its own, as `mtp-<model>.gguf`: it drafts like the layer inside the target's file."""

from pathlib import Path

import pytest

from sparkdesk.engine.pair import Pair
from sparkdesk.engine.settings import MTP, LoadSettings
from sparkdesk.errors import ModelLoadError
from sparkdesk.fit import mtp_size, size_from_header
from sparkdesk.gguf.header import read_gguf
from sparkdesk.gguf.pairing import DraftKind, draft_kind, header_problem, target_problem
from tests.engine.test_hybrid_native import PROMPT, answer
from tests.engine.tiny_drafts import write_eagle3_pair
from tests.engine.tiny_gguf import HybridShape, write_hybrid, write_plain

pytestmark = pytest.mark.native


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("mtp")
    return write_hybrid(folder / "model.gguf"), write_hybrid(folder / "mtp-model.gguf", has_trunk=False)


@pytest.mark.parametrize("length", [1, 3])
def test_it_drafts_what_the_layer_inside_the_target_drafts(files: tuple[Path, Path], length: int) -> None:
    how = {"context_tokens": 512, "threads": 1}
    with Pair.open(LoadSettings(str(files[0]), drafter=MTP, **how)) as inside:  # type: ignore[arg-type]
        plain = answer(inside, PROMPT, length=0, afresh=True).tokens
        built_in = answer(inside, PROMPT, length=length, afresh=True)
    with Pair.open(LoadSettings(str(files[0]), str(files[1]), **how)) as pair:  # type: ignore[arg-type]
        assert not pair.draft_problem and pair.info.drafter_kind == MTP
        beside = answer(pair, PROMPT, length=length, afresh=True)
    assert beside.tokens == built_in.tokens == plain
    assert [r.accepted for r in beside.rounds] == [r.accepted for r in built_in.rounds]
    assert sum(r.accepted for r in beside.rounds) >= 0 and max(r.verified for r in beside.rounds) == length


def test_it_is_no_target(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"mtp-model\.gguf holds nothing of its model but the MTP layer"):
        Pair.open(LoadSettings(str(files[1]), context_tokens=512, threads=1))
    pair = write_eagle3_pair(tmp_path)
    with pytest.raises(ModelLoadError, match=r"draft\.gguf is a draft and cannot answer alone"):
        Pair.open(LoadSettings(str(pair.draft), context_tokens=512, threads=1))


def test_it_is_refused_for_another_model(files: tuple[Path, Path], tmp_path: Path) -> None:
    other, wide = write_plain(tmp_path / "plain.gguf"), HybridShape(hidden=128)
    mtp = read_gguf(files[1])
    assert "MTP layer of a 'qwen35' model of width 64" in header_problem(read_gguf(other), mtp)
    assert "width 128" in header_problem(read_gguf(write_hybrid(tmp_path / "w.gguf", shape=wide)), mtp)
    assert not header_problem(read_gguf(files[0]), mtp)


def test_a_part_of_a_split_target_is_not_taken_for_one(files: tuple[Path, Path]) -> None:
    """The first part may hold no weights at all, the last one the MTP layer alone."""
    first, last = (read_gguf(path) for path in files)
    first.tensors.clear()
    for part in (first, last):
        part.metadata["split.count"] = 3
        assert draft_kind(part) is DraftKind.SMALL_MODEL and not target_problem(part)
    del first.metadata["split.count"]
    assert draft_kind(first) is DraftKind.SMALL_MODEL


def test_its_size_is_that_of_the_layer_with_embeddings_and_head(files: tuple[Path, Path]) -> None:
    inside, alone = (read_gguf(path) for path in files)
    assert (draft_kind(inside), draft_kind(alone)) == (DraftKind.SMALL_MODEL, DraftKind.MTP)
    size, layer = size_from_header(alone), mtp_size(inside)
    assert layer is not None and size.layers == layer.layers and size.layer_bytes == layer.layer_bytes
    assert size.weights_bytes == sum(place.size_bytes for place in alone.tensors.values())
