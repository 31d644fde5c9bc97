"""The real shelf against a hub of our own: what is here, what is asked, and a whole build from the models screen."""

import json
import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TypeVar

import pytest

from sparkdesk.backend.models import LocalModels
from sparkdesk.builder.catalog_state import ABSENT, DOWNLOADED, INCOMPLETE, READY, BuildJob, JobResult
from sparkdesk.config.paths import HOME_VARIABLE, Paths, user_paths
from sparkdesk.config.settings import Settings
from sparkdesk.demo import bundled
from sparkdesk.engine.settings import LoadSettings
from sparkdesk.errors import AccessRefused, EngineError, NotOnHub, UsageError
from sparkdesk.events import Journey, Notice, Progress, Run
from sparkdesk.fit import FreeMemory
from sparkdesk.hub.client import Hub as HubClient
from sparkdesk.loading.choice import PairFiles
from sparkdesk.loading.placement import LoadedPair
from sparkdesk.ui.models.download_dialog import DownloadScreen
from sparkdesk.ui.models.model_list import ModelList
from sparkdesk.ui.models.screen import ModelsScreen
from tests.hub.server import Fault, Hub
from tests.library.gguf_samples import write_target
from tests.ui.fake_backend import FakeBackend
from tests.ui.harness import open_app

Result = TypeVar("Result")
CATALOG = """
[[pair]]
name = "tiny"
title = "Tiny from the hub"
notes = ["A note."]
[pair.target]
checkpoint = "Maker/Spark-Tiny"
[pair.draft]
checkpoint = "Maker/spark_tiny_dspark"
"""
WEIGHTS = "model.safetensors"
HOW = LoadSettings("", context_tokens=512, threads=1)


class Desk:
    """As much of the desk as the shelf asks for."""

    loaded: LoadedPair | None = None


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: Hub) -> Paths:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "desk"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sparkdesk.hub.client.Hub", lambda: HubClient(hub.address, tmp_path / "hf" / "hub"))
    found = user_paths()
    found.config.mkdir(parents=True)
    found.catalog_file.write_text(CATALOG)
    hub.add("Maker/Spark-Tiny", _files(bundled.target_folder()))
    hub.add("Maker/spark_tiny_dspark", _files(bundled.draft_folder()), tags=("base_model:Maker/Spark-Tiny",))
    return found


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def manager(paths: Paths, desk: Desk) -> LocalModels:
    return LocalModels(desk, paths, Settings(), how=lambda: HOW)


def run(journey: "Generator[Progress | Notice, None, Result]") -> tuple[list[Progress | Notice], Result]:
    ran = Run(journey)
    return list(ran), ran.result


def state(manager: LocalModels, name: str = "tiny") -> str:
    return next(listed.state for listed in manager.contents().catalogue if listed.entry.name == name)


@pytest.mark.native
def test_a_pair_goes_from_not_here_to_ready(manager: LocalModels, paths: Paths) -> None:
    assert state(manager) == ABSENT
    told, got = run(manager.get(BuildJob("tiny", quantization="Q8_0")))
    assert got.opens == "tiny" and "Tested: " in got.sentence
    steps = {event.step.partition(" ")[0] for event in told if isinstance(event, Progress)}
    assert {"Downloading", "Converting", "Trying"} <= steps
    assert any(isinstance(event, Notice) and "A note." in event.text for event in told)
    assert state(manager) == READY
    pair = manager.contents().library.pair("tiny")
    assert pair is not None and pair.target is not None
    plan = manager.fit(pair.target, pair.draft)
    assert plan is not None and plan.fits and plan.context_tokens == 512


def test_a_build_that_is_closed_is_begun_and_goes_on(
    manager: LocalModels, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stop_in_mid_download(manager.get(BuildJob("tiny")), hub, monkeypatch)
    assert state(manager) == INCOMPLETE
    (partial,) = manager.contents().library.partials
    _, got = run(manager.resume(partial))
    assert "Maker/" in got.sentence and state(manager) == INCOMPLETE  # the draft is not here yet
    assert not manager.contents().library.partials
    first, second = hub.ranges(WEIGHTS)
    assert second[0] == partial.size_bytes and second[1] == len(hub.models["Maker/Spark-Tiny"].files[WEIGHTS])
    assert first[0] == 0


def test_what_is_downloaded_but_not_built_says_so(manager: LocalModels, hub: Hub) -> None:
    for name in ("Maker/Spark-Tiny", "Maker/spark_tiny_dspark"):
        run(manager.get(BuildJob(name, is_pair=False)))
    assert state(manager) == DOWNLOADED


def test_a_download_of_a_file_that_was_replaced_cannot_go_on(
    manager: LocalModels, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stop_in_mid_download(manager.get(BuildJob("Maker/Spark-Tiny", is_pair=False)), hub, monkeypatch)
    (partial,) = manager.contents().library.partials
    hub.models["Maker/Spark-Tiny"].files[WEIGHTS] = b"newer" * 2000
    with pytest.raises(NotOnHub, match="has changed"):
        run(manager.resume(partial))


def test_what_a_conversion_left_cannot_be_gone_on_with(manager: LocalModels, paths: Paths) -> None:
    paths.models.mkdir(parents=True)
    left = paths.models / ".x.part"
    left.write_bytes(b"1")
    os.utime(left, (1, 1))
    (partial,) = manager.contents().library.partials
    with pytest.raises(UsageError, match="not a download"):
        run(manager.resume(partial))
    manager.remove(manager.plan_removal(partial))
    assert not left.exists()


def test_asking_fetches_no_weights(manager: LocalModels, hub: Hub) -> None:
    _, forecast = run(manager.ask(BuildJob("tiny")))
    assert forecast is not None and forecast.fits and forecast.chosen.quantization == "Q4_K_M"
    assert {each.path for each in hub.served} == {"config.json"}
    assert len(forecast.options) >= 6 and forecast.download_bytes > 10_000_000


def test_a_gated_repository_is_explained_before_anything_is_fetched(manager: LocalModels, hub: Hub) -> None:
    hub.models["Maker/Spark-Tiny"].gated = True
    with pytest.raises(AccessRefused, match="gated") as refused:
        run(manager.ask(BuildJob("tiny")))
    assert f"{hub.address}/Maker/Spark-Tiny" in refused.value.hint and "hf auth login" in refused.value.hint


def test_a_draft_is_built_with_a_target_of_the_users(manager: LocalModels) -> None:
    order = BuildJob("mine", target="Maker/Spark-Tiny", draft="Maker/spark_tiny_dspark")
    _, forecast = run(manager.ask(order))
    assert forecast is not None and forecast.fits


def test_the_loaded_pair_is_not_removed(manager: LocalModels, desk: Desk, paths: Paths) -> None:
    target = write_target(paths.models / "T.gguf")
    (model,) = manager.contents().library.models
    desk.loaded = LoadedPair(PairFiles(target, None), 512, 0)
    with pytest.raises(EngineError, match="It is loaded"):
        manager.plan_removal(model)
    desk.loaded = None
    assert manager.plan_removal(model).files == (target,)


@pytest.mark.native
def test_a_pair_that_has_no_room_beside_the_loaded_one_is_built_and_not_tried(
    manager: LocalModels, monkeypatch: pytest.MonkeyPatch, paths: Paths
) -> None:
    """The chat's engine must not fall to a test of something else."""
    room = FreeMemory(64_000_000_000)
    monkeypatch.setattr("sparkdesk.doctor.free_memory.free_memory", lambda: room)
    manager.free()  # remembers what is free for the forecast, as the screen does
    monkeypatch.setattr("sparkdesk.doctor.free_memory.free_memory", lambda: FreeMemory(510_000_000))
    told, got = run(manager.get(BuildJob("tiny", quantization="Q8_0")))
    assert "It was not tested" in got.sentence and got.opens == "tiny"
    assert not any(isinstance(event, Progress) and "Loading" in event.step for event in told)
    steps = json.loads((paths.models / "tiny" / "steps.json").read_text())
    assert steps["tested"] == ""


def test_a_broken_catalogue_leaves_ours(manager: LocalModels, paths: Paths) -> None:
    paths.catalog_file.write_text("[[pair]")
    contents = manager.contents()
    assert "not valid TOML" in contents.problem and "qwen3-8b" in {each.entry.name for each in contents.catalogue}


def test_a_search_finds_what_can_be_run(manager: LocalModels) -> None:
    _, hits = run(manager.search("spark_tiny"))
    assert [(hit.role, hit.model.name) for hit in hits] == [("draft", "Maker/spark_tiny_dspark")]


@pytest.mark.native
async def test_a_whole_build_from_the_screen(manager: LocalModels, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked, chosen, downloaded, converted, tried, and opened."""
    desk = FakeBackend()
    desk.models = manager  # type: ignore[assignment]  # the real one
    async with open_app(desk, size=(80, 24)) as harness:
        await harness.pilot.press("f7")
        screen = harness.app.get_screen("models")
        assert isinstance(screen, ModelsScreen)
        await harness.until(lambda: screen.contents is not None)
        await harness.pilot.press("2")
        screen.query_one(ModelList).choose("entry tiny")
        await harness.pilot.press("enter")
        await harness.until(_is_offering(harness.app))
        assert "Q8_0" in harness.picture() and "19 MB to download" in harness.picture()
        harness.app.screen.query_one(ModelList).choose("Q8_0")
        await harness.pilot.press("enter")
        await harness.until(lambda: screen.jobs.job is not None and not screen.jobs.job.is_running, seconds=200)
        assert screen.jobs.job is not None and screen.jobs.job.got is not None, screen.jobs.job
        assert "Tested: " in screen.jobs.job.got.sentence and screen.jobs.job.steps[-1] == "test"
        await harness.pilot.press("o")
        await harness.until(lambda: desk.switches == ["tiny"])


def _stop_in_mid_download(journey: Journey[JobResult], hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Esc does, between two events."""
    monkeypatch.setattr("sparkdesk.hub.download._SHOWN_EVERY_S", 0.0)
    hub.fail(WEIGHTS, Fault(hold_after=300_000))
    for event in journey:
        if isinstance(event, Progress) and WEIGHTS in event.step and event.done >= 200_000:
            break
    journey.close()
    hub.go_on.set()


def _is_offering(app: object) -> Callable[[], bool]:
    return lambda: isinstance(app.screen, DownloadScreen) and app.screen.forecast is not None  # type: ignore[attr-defined]


def _files(checkpoint: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in checkpoint.iterdir()}
