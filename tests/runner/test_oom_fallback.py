"""When memory runs out while loading, less is tried, and what was given up is said."""

from dataclasses import replace
from pathlib import Path

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.engine.settings import LoadSettings
from sparkdesk.errors import EngineCrashed, OutOfMemory
from sparkdesk.machine.hardware import GraphicsCard
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.crash import ProcessExit
from sparkdesk.runner.oom_fallback import is_out_of_memory, smaller_settings
from sparkdesk.runner.protocol import Loaded, Loading
from tests.engine.tiny_moe import write_moe
from tests.runner.fake_child import COMMAND


def load(how: str, context_tokens: int = 8192) -> list[Loading | Loaded]:
    with EngineClient(child_command=COMMAND) as client:
        return list(client.load(LoadSettings(how, context_tokens=context_tokens)))


@pytest.mark.parametrize("how", ["room for 2048", "room for 2048 killed"])
def test_a_shorter_context_is_tried_and_told(how: str) -> None:
    events = load(how)
    said = [event.stage for event in events if isinstance(event, Loading) and "Memory ran out" in event.stage]
    assert [line.split()[-2] for line in said] == ["4,096", "2,048"]
    assert isinstance(events[-1], Loaded)
    assert events[-1].model.memory_note.startswith("Loaded with a context of 2,048 tokens")


def test_what_fits_is_loaded_as_asked() -> None:
    events = load("room for 8192")
    assert isinstance(events[-1], Loaded) and not events[-1].model.memory_note


def test_where_nothing_helps_the_first_complaint_is_the_one_that_is_told() -> None:
    with pytest.raises(OutOfMemory, match="No room for 8192 tokens"):
        load("room for 0")
    with pytest.raises(EngineCrashed, match="memory ran out"):
        load("room for 0 killed")


def test_with_a_card_layers_go_before_the_context(
    synthetic_pair: SyntheticPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = LoadSettings(str(synthetic_pair.target), str(synthetic_pair.draft), context_tokens=16_384)
    monkeypatch.setattr("sparkdesk.machine.hardware.find_graphics_cards", lambda: (GraphicsCard("NVIDIA", "RTX"),))
    loads = list(smaller_settings(settings))
    assert [load.settings.gpu_layers for load in loads] == [5, 3, 1, 0, -1, -1, -1]
    assert [load.settings.context_tokens for load in loads[4:]] == [8192, 4096, 2048]
    assert "5 of 7 layers" in loads[0].notice
    monkeypatch.setattr("sparkdesk.machine.hardware.find_graphics_cards", lambda: ())
    assert [load.settings.context_tokens for load in smaller_settings(settings)] == [8192, 4096, 2048]


def test_with_a_card_experts_go_before_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = LoadSettings(str(write_moe(tmp_path / "moe.gguf", layers=4)), context_tokens=8192)
    monkeypatch.setattr("sparkdesk.machine.hardware.find_graphics_cards", lambda: (GraphicsCard("NVIDIA", "RTX"),))
    loads = list(smaller_settings(settings))
    assert [load.settings.cpu_experts for load in loads[:3]] == [2, 4, -1]
    assert "the experts of 2 layers on the processor" in loads[0].notice
    with_all = replace(settings, cpu_experts=4)
    assert next(iter(smaller_settings(with_all))).settings.gpu_layers == 3


def test_what_is_hardly_smaller_is_not_tried(synthetic_pair: SyntheticPair) -> None:
    """Weights that do not fit will not fit beside a shorter context either."""
    settings = LoadSettings(str(synthetic_pair.target), context_tokens=512)
    assert list(smaller_settings(settings)) == []


@pytest.mark.parametrize(
    ("failure", "is_memory"),
    [
        (ProcessExit(-9, "loading the target", ""), True),
        (ProcessExit(-9, "loading the target", "", was_requested=True), False),
        (ProcessExit(-6, "warming up", "CUDA error: out of memory"), True),
        (ProcessExit(-6, "warming up", "GGML_ASSERT(x) failed"), False),
        (ProcessExit(-11, "warming up", ""), False),
    ],
)
def test_a_death_for_want_of_memory_is_told_from_others(failure: ProcessExit, is_memory: bool) -> None:
    assert is_out_of_memory(failure) is is_memory
