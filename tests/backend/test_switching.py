"""Another pair for the same conversation: what cannot be opened leaves the old pair, whatever the reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkdesk.backend.local import LocalBackend
from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.chat.events import ReplyFinished
from sparkdesk.errors import EngineError, ModelLoadError, UsageError
from sparkdesk.fit import FreeMemory, Layout, need_of, size_from_header
from sparkdesk.gguf.header import read_gguf
from sparkdesk.loading.choice import PairFiles, own_pair
from sparkdesk.loading.placement import LoadedPair, free_memory_without
from tests.backend.test_local import CHAT, make_backend
from tests.library.gguf_samples import write_target

GB = 1_000_000_000
pytestmark = pytest.mark.native


@pytest.fixture
def desk(synthetic_pair: SyntheticPair) -> Iterator[LocalBackend]:
    made = make_backend(own_pair(synthetic_pair.target, synthetic_pair.draft), CHAT)
    list(made.load())
    yield made
    made.close()


def test_the_conversation_goes_on_with_another_model(desk: LocalBackend, quantized_pair: SyntheticPair) -> None:
    *_, first = desk.conversation.reply("a")
    list(desk.switch(str(quantized_pair.target)))
    *_, second = desk.conversation.reply("b")
    assert isinstance(first, ReplyFinished) and isinstance(second, ReplyFinished)
    assert desk.model is not None and desk.model.draft_name is None
    assert len(desk.conversation.messages) == 4 and desk.name == quantized_pair.target.stem
    assert desk.loaded is not None and desk.loaded.files == PairFiles(quantized_pair.target, None)


def test_a_name_nobody_knows_changes_nothing(desk: LocalBackend) -> None:
    name = desk.name
    with pytest.raises(UsageError, match="no pair called nosuch"):
        list(desk.switch("nosuch"))
    assert desk.model is not None and desk.name == name
    *_, last = desk.conversation.reply("a")
    assert isinstance(last, ReplyFinished)


def test_a_broken_file_is_found_out_while_the_old_pair_is_loaded(desk: LocalBackend, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    name = desk.name
    with pytest.raises(ModelLoadError):
        list(desk.switch(str(broken)))
    assert desk.model is not None and desk.name == name


def test_what_fails_later_leaves_the_old_pair_to_be_reloaded(desk: LocalBackend, tmp_path: Path) -> None:
    """Its header is sound, and llama.cpp refuses it all the same."""
    name = desk.name
    with pytest.raises(EngineError):
        list(desk.switch(str(write_target(tmp_path / "T.gguf"))))
    assert desk.model is None and desk.name == name
    list(desk.reload())
    *_, last = desk.conversation.reply("a")
    assert isinstance(last, ReplyFinished)


def test_cancelled_it_leaves_the_old_pair_to_be_reloaded(desk: LocalBackend, quantized_pair: SyntheticPair) -> None:
    name = desk.name
    steps = desk.switch(str(quantized_pair.target))
    next(steps)
    steps.close()
    assert desk.name == name
    list(desk.reload())
    assert desk.model is not None and desk.model.draft_name is not None


def test_room_is_counted_without_what_goes(synthetic_pair: SyntheticPair) -> None:
    """On the host, a model's weights are pages of its file, which the system counts as free already."""
    files = PairFiles(synthetic_pair.target, synthetic_pair.draft)
    sizes = [size_from_header(read_gguf(path)) for path in (files.target, synthetic_pair.draft)]
    need = need_of(sizes[0], sizes[1], Layout(context_tokens=4096, gpu_layers=7))
    found = free_memory_without(FreeMemory(8 * GB, 4 * GB), LoadedPair(files, 4096, 7))
    assert found.gpu_bytes == 4 * GB + need.gpu_bytes
    assert 8 * GB < found.host_bytes < 8 * GB + need.host_bytes
    shared = free_memory_without(FreeMemory(8 * GB, 8 * GB, is_shared=True), LoadedPair(files, 4096, 7))
    assert shared.host_bytes == shared.gpu_bytes > found.host_bytes
    assert free_memory_without(FreeMemory(8 * GB), None) == FreeMemory(8 * GB)
