"""What doctor says of mixtures of experts that are larger than the card."""

from dataclasses import replace
from pathlib import Path

import pytest

from sparkdesk.config.paths import Paths
from sparkdesk.config.settings import Settings
from sparkdesk.doctor.check import OK, WARN
from sparkdesk.doctor.experts import Mixtures, experts, mixtures_of
from sparkdesk.fit import FreeMemory, Wanted, size_from_header
from sparkdesk.gguf.header import read_gguf
from sparkdesk.library.model_dirs import FOLDER, Place
from sparkdesk.library.reading import read_places
from tests.engine.tiny_gguf import write_plain
from tests.engine.tiny_moe import write_moe

GB = 1_000_000_000
ROOM = FreeMemory(64 * GB, 12 * GB)


@pytest.fixture(scope="module")
def mixtures(tmp_path_factory: pytest.TempPathFactory) -> Mixtures:
    """As large as a 30B-A3B in Q4_K_M."""
    size = size_from_header(read_gguf(write_moe(tmp_path_factory.mktemp("moe") / "m.gguf")))
    return Mixtures((replace(size.in_a_file_of(18 * GB), name="Large-A3B"),))


def test_it_says_how_many_layers_leave_their_experts_with_the_cpu(mixtures: Mixtures) -> None:
    (check,) = experts(mixtures, ROOM)
    assert check.verdict == OK and "Large-A3B: the experts of 2 of 4 layers stay with the CPU" in check.text
    asked = replace(mixtures, wanted=Wanted(cpu_experts=4))
    assert "4 of 4 layers" in next(experts(asked, ROOM)).text


@pytest.mark.parametrize("room", [FreeMemory(64 * GB, 48 * GB), FreeMemory(64 * GB)])
def test_nothing_is_said_where_there_is_nothing_to_say(mixtures: Mixtures, room: FreeMemory) -> None:
    assert not list(experts(mixtures, room)) and not list(experts(Mixtures(), room))


def test_what_fits_nowhere_is_a_warning_with_advice(mixtures: Mixtures) -> None:
    (check,) = experts(mixtures, FreeMemory(4 * GB, 6 * GB))
    assert check.verdict == WARN and "does not fit" in check.text and check.fix


def test_they_are_found_among_what_is_installed(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    write_moe(tmp_path / "models" / "mixture.gguf")
    write_plain(tmp_path / "models" / "dense.gguf")
    paths = Paths(*(tmp_path / name for name in ("config", "data", "state", "cache")))
    library = read_places((Place(tmp_path / "models", FOLDER),), paths)
    found = mixtures_of(library, Settings(cpu_experts=3, cache_type="q8_0", context_tokens=512))
    assert [size.name for size in found.sizes] == ["tiny qwen3moe"]
    assert found.wanted == Wanted(cpu_experts=3, cache_type="q8_0") and found.context_tokens == 512
