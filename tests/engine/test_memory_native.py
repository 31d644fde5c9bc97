"""What the fit counts against what llama.cpp allocates, for hybrids, experts, and other types of the KV cache."""

from dataclasses import replace
from pathlib import Path

import pytest

from sparkdesk.bench.lab.memory_probe import summed
from sparkdesk.engine.llama.allocations import Allocation, recorded_allocations
from sparkdesk.engine.pair import Pair
from sparkdesk.engine.settings import LoadSettings
from sparkdesk.fit import Layout, Need, need_of, size_from_header
from sparkdesk.gguf.header import read_gguf
from tests.engine.tiny_gguf import write_hybrid, write_plain
from tests.engine.tiny_moe import write_lfm2, write_moe

pytestmark = pytest.mark.native

WRITERS = {"hybrid": write_hybrid, "lfm2": write_lfm2, "moe": write_moe}


def allocated(path: Path, layout: Layout) -> list[Allocation]:
    settings = LoadSettings(
        str(path),
        context_tokens=layout.context_tokens,
        threads=1,
        use_extra_buffers=False,
        cache_type=layout.cache_type,
        rollback_states=layout.rollback_states,
        cpu_experts=layout.cpu_experts,
    )
    with recorded_allocations() as found, Pair.open(settings):
        return list(found)


def counted(path: Path, layout: Layout) -> Need:
    return need_of(size_from_header(read_gguf(path)), None, layout)


def total(found: list[Allocation], kind: str) -> int:
    return sum(each.size_bytes for each in found if each.kind == kind)


@pytest.mark.parametrize("name", WRITERS)
def test_everything_together_is_within_a_few_percent(name: str, tmp_path: Path) -> None:
    path, layout = WRITERS[name](tmp_path / "tiny.gguf"), Layout(4096)
    measured, need = summed(allocated(path, layout), has_draft=False), counted(path, layout)
    assert need.total_bytes - need.of("checkpoints") - need.of("features") == pytest.approx(
        measured.total_bytes, rel=0.05
    )


@pytest.mark.parametrize("name", ["hybrid", "lfm2"])
@pytest.mark.parametrize("states", [0, 3, 7])
def test_caches_and_recurrent_states_are_those_of_llama_cpp(name: str, states: int, tmp_path: Path) -> None:
    path, layout = WRITERS[name](tmp_path / "tiny.gguf"), Layout(2048, rollback_states=states)
    found, need = allocated(path, layout), counted(path, layout)
    assert need.of("cache") == pytest.approx(total(found, "KV"), rel=0.01)
    assert need.of("states") == pytest.approx(total(found, "RS"), rel=0.01, abs=6000)  # it says hundredths of a MiB


@pytest.mark.parametrize("kind", ["f16", "q8_0", "q4_0"])
def test_a_cache_of_another_type_takes_what_was_counted(kind: str, tmp_path: Path) -> None:
    path, layout = write_moe(tmp_path / "tiny.gguf"), Layout(4096, cache_type=kind)
    assert counted(path, layout).of("cache") == pytest.approx(total(allocated(path, layout), "KV"), rel=0.01)


def test_what_is_loaded_says_how_it_lies_in_memory(tmp_path: Path) -> None:
    settings = LoadSettings("", context_tokens=512, threads=1, cache_type="q8_0", rollback_states=3)
    with Pair.open(replace(settings, target_path=str(write_hybrid(tmp_path / "tiny.gguf")))) as pair:
        assert (pair.info.cache_type, pair.info.rollback_states) == ("q8_0", 3)
    with Pair.open(replace(settings, target_path=str(write_moe(tmp_path / "moe.gguf")))) as pair:
        assert (pair.info.cache_type, pair.info.rollback_states, pair.info.cpu_experts) == ("q8_0", 0, 0)


def test_a_type_that_does_not_divide_the_heads_is_refused_in_a_sentence(tmp_path: Path) -> None:
    from sparkdesk.errors import ModelLoadError

    path = write_plain(tmp_path / "tiny.gguf")  # heads of 16 numbers, blocks of 32
    with pytest.raises(ModelLoadError, match=r"tiny\.gguf cannot have a KV cache of type q8_0: .*--cache-type f16"):
        Pair.open(LoadSettings(str(path), context_tokens=512, threads=1, cache_type="q8_0"))


def test_a_hybrid_without_states_in_its_header_has_none(tmp_path: Path) -> None:
    size = size_from_header(read_gguf(write_plain(tmp_path / "tiny.gguf")))
    assert size.state_bytes == 0 and not [p for p in need_of(size, None, Layout(512)).parts if p.kind == "states"]
