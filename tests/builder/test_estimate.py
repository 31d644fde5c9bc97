"""What a pair will take is known before its weights are fetched, and what was read to know it is not fetched again."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import gguf
import numpy as np
import pytest

from sparkdesk.builder import estimate as forecast_room
from sparkdesk.builder.estimate import Forecast, Selection, choose_quantization, estimate
from sparkdesk.builder.plan import BuildRequest
from sparkdesk.builder.planning import Planning, preview_model, preview_pair
from sparkdesk.catalog import read_catalog
from sparkdesk.cli.app import run
from sparkdesk.config.paths import HOME_VARIABLE
from sparkdesk.demo import bundled
from sparkdesk.errors import BrokenDownload, NotOnHub
from sparkdesk.events import Notice, Run
from sparkdesk.fit import FreeMemory, Layout, need_of, size_from_header
from sparkdesk.gguf.header import read_gguf
from sparkdesk.hub.client import Hub as HubClient
from sparkdesk.hub.lookup import Lookup
from sparkdesk.hub.model import find_model
from sparkdesk.hub.pull import fetch_models
from sparkdesk.hub.repository import FoundModel
from sparkdesk.hub.retry import RetryPolicy
from tests.hub.pulling import Puller
from tests.hub.server import Fault, Hub, Model

GB = 1_000_000_000
PLENTY = FreeMemory(64 * GB)
Result = TypeVar("Result")
CATALOG = """
[[pair]]
name = "tiny"
title = "Tiny"
[pair.target]
checkpoint = "Maker/Spark-Tiny"
gguf = [{ repository = "Maker/Tiny-GGUF" }]
[pair.draft]
checkpoint = "Maker/spark_tiny_dspark"
"""
NAMES = {"Q4_K_M": 1_500_000, "Q3_K_M": 900_000, "Q8_0": 3_000_000}
IMPATIENT = RetryPolicy(tries=3, first_wait_s=0.01)


@pytest.fixture(autouse=True)
def _small_files_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast_room, "_SURE_TO_FIT_BYTES", 0)


@pytest.fixture
def client(hub: Hub, tmp_path: Path) -> HubClient:
    return HubClient(hub.address, tmp_path / "hf" / "hub")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "desk" / "data" / "models"


@pytest.fixture
def planning(hub: Hub, client: HubClient, tmp_path: Path, models: Path) -> Planning:
    """Ready-made targets in three quantizations, and a draft to convert."""
    folder = tmp_path / "desk" / "config"
    folder.mkdir(parents=True)
    (folder / "catalog.toml").write_text(CATALOG)
    hub.add("Maker/Spark-Tiny", _files(bundled.target_folder()))
    hub.add("Maker/spark_tiny_dspark", _files(bundled.draft_folder()))
    made = {f"Tiny-{name}.gguf": _gguf(tmp_path / f"{name}.gguf", size) for name, size in NAMES.items()}
    hub.add("Maker/Tiny-GGUF", made)
    return Planning(client, read_catalog(folder / "catalog.toml"), BuildRequest("tiny"), models)


def told(journey: "Generator[object, None, Result]") -> tuple[list[str], Result]:
    """Its notices, and what it returns."""
    run = Run(journey)
    return [event.text for event in run if isinstance(event, Notice)], run.result


def settled(
    client: HubClient, planning: Planning, room: FreeMemory, *, asked: str = "", context_tokens: int = 512
) -> tuple[list[str], tuple[Selection, Forecast | None]]:
    return told(choose_quantization(client, planning.find, asked=asked, room=room, context_tokens=context_tokens))


def test_the_usual_quantization_is_taken_where_it_fits(client: HubClient, planning: Planning) -> None:
    said, (wanted, forecast) = settled(client, planning, PLENTY)
    assert forecast is not None and forecast.fits and wanted.target_type == "Q4_K_M"
    (sentence,) = said
    assert sentence.startswith("Q4_K_M: ") and "to download" in sentence and "for 512 tokens" in sentence
    assert "Q8_0 would fit, too." in sentence
    assert [each.quantization for each in forecast.options] == ["Q8_0", "Q4_K_M", "Q3_K_M"]


def test_nothing_but_headers_and_configs_is_fetched(client: HubClient, planning: Planning, hub: Hub) -> None:
    settled(client, planning, PLENTY)
    fetched = {each.path for each in hub.served}
    assert fetched == {"Tiny-Q4_K_M.gguf", "config.json"}


def test_what_was_looked_at_is_not_downloaded_again(
    client: HubClient, planning: Planning, hub: Hub, tmp_path: Path
) -> None:
    """Larger than the first look, so that a part of it is left."""
    model = hub.add("Maker/Large-GGUF", {"Large-Q4_K_M.gguf": _gguf(tmp_path / "l.gguf", 3_000_000, padding=2_000_000)})
    file = "Large-Q4_K_M.gguf"
    _, source = told(find_model(Lookup(client), model.name))
    _, forecast = told(estimate(client, Selection(source, None, "Q4_K_M"), room=PLENTY, context_tokens=512))
    assert forecast is not None
    assert 0 < forecast.download_bytes < model.size(file)
    told(fetch_models(client, {"model": source}))
    first, second = hub.ranges(file)
    partial = model.size(file) - forecast.download_bytes
    assert (first[0], second) == (0, (partial, model.size(file))) and first[1] >= partial


def test_a_smaller_one_is_taken_where_the_usual_one_does_not_fit(client: HubClient, planning: Planning) -> None:
    said, (wanted, forecast) = settled(client, planning, _room_for(client, planning, "Q3_K_M"))
    assert wanted.target_type == "Q3_K_M" and forecast is not None and forecast.fits
    assert said[0].startswith("Q4_K_M does not fit: it takes") and "--quant Q4_K_M insists" in said[0]
    assert planning.plan.target.quantization == "Q3_K_M"


def test_what_the_user_named_is_taken_and_warned_about(client: HubClient, planning: Planning) -> None:
    room = _room_for(client, planning, "Q3_K_M")
    (sentence,), (wanted, forecast) = settled(client, planning, room, asked="Q8_0")
    assert wanted.target_type == "Q8_0" and forecast is not None and not forecast.fits
    assert "too little" in sentence and "Q3_K_M would fit" in sentence


def test_a_download_that_was_begun_goes_on_although_memory_is_short(
    client: HubClient, planning: Planning, hub: Hub
) -> None:
    room = _room_for(client, planning, "Q3_K_M")
    _, source = told(find_model(Lookup(client), "Maker/Tiny-GGUF"))
    told(fetch_models(client, {"model": source}))
    said, (wanted, forecast) = settled(client, planning, room)
    assert wanted.target_type == "Q4_K_M" and forecast is not None and not forecast.fits
    assert "Q3_K_M would fit" in said[-1]


def test_where_nothing_fits_the_usual_one_is_taken_and_the_user_told(client: HubClient, planning: Planning) -> None:
    (sentence,), (wanted, forecast) = settled(client, planning, FreeMemory(1_000_000))
    assert wanted.target_type == "Q4_K_M" and forecast is not None and not forecast.best
    assert "too little" in sentence and "smaller model" in sentence


def test_a_shorter_context_is_named_where_it_would_do(client: HubClient, planning: Planning) -> None:
    """Names both ways out: less context, or a smaller file."""
    _, (_, short) = settled(client, planning, PLENTY, asked="Q4_K_M", context_tokens=512)
    assert short is not None
    room = FreeMemory(short.chosen.plan.need.host_bytes + 500_100_000)
    (sentence,), _ = settled(client, planning, room, asked="Q4_K_M", context_tokens=1_000_000)
    assert "context of" in sentence or "--ctx" in sentence


def test_the_forecast_is_what_the_file_itself_says(
    client: HubClient, planning: Planning, hub: Hub, tmp_path: Path
) -> None:
    _, (wanted, forecast) = settled(client, planning, PLENTY)
    assert forecast is not None and wanted.draft is not None
    path = tmp_path / "whole.gguf"
    path.write_bytes(hub.models["Maker/Tiny-GGUF"].files["Tiny-Q4_K_M.gguf"])
    target = need_of(size_from_header(read_gguf(path)), None, Layout(512))
    assert forecast.chosen.plan.need.of("weights", "target") == target.of("weights")
    assert forecast.chosen.plan.need.of("cache", "target") == target.of("cache")


def test_a_drafts_size_is_that_of_the_file_it_becomes(client: HubClient, planning: Planning, tmp_path: Path) -> None:
    """Its checkpoint holds the target's tables, which are not converted."""
    from sparkdesk import convert

    _, (_, forecast) = settled(client, planning, PLENTY)
    out = tmp_path / "draft.gguf"
    for _ in convert.convert_draft(bundled.draft_folder(), out, target=bundled.target_folder(), output_type="Q8_0"):
        pass
    assert forecast is not None
    foreseen = forecast.chosen.plan.need.of("weights", "draft")
    assert foreseen == pytest.approx(size_from_header(read_gguf(out)).weights_bytes, rel=0.1)


def test_a_look_fetches_no_headers(client: HubClient, planning: Planning, hub: Hub, models: Path) -> None:
    catalog = planning._catalog
    entry = catalog.find("tiny")
    assert entry is not None
    _, forecast = told(preview_pair(client, catalog, entry, models=models, room=PLENTY, context_tokens=512))
    assert forecast is not None and forecast.fits and {each.path for each in hub.served} == {"config.json"}
    found = FoundModel("Maker/Tiny-GGUF", ("qwen3",), ("base_model:quantized:Maker/Spark-Tiny",), 1, False)
    _, alone = told(preview_model(client, found, room=PLENTY, context_tokens=512))
    assert alone is not None and 0 < alone.chosen.plan.need.total_bytes < forecast.chosen.plan.need.total_bytes
    _, unknown = told(
        preview_model(client, FoundModel("Maker/Tiny-GGUF", (), (), 1, False), room=PLENTY, context_tokens=0)
    )
    assert unknown is None


def test_a_cut_look_goes_on(client: HubClient, hub: Hub, tmp_path: Path) -> None:
    name = "Large-Q4_K_M.gguf"
    hub.add("Maker/Large-GGUF", {name: _gguf(tmp_path / "l.gguf", 100_000, padding=2_000_000)})
    hub.fail(name, Fault(cut_after=1_500_000))
    _, source = told(find_model(Lookup(client), "Maker/Large-GGUF"))
    _, forecast = told(
        estimate(client, Selection(source, None, "Q4_K_M"), room=PLENTY, context_tokens=512, retry=IMPATIENT)
    )
    assert forecast is not None
    first, second = hub.ranges(name)
    assert second[0] == first[1] == 1_500_000


def test_a_file_that_is_no_gguf_is_refused_before_gigabytes_come(client: HubClient, hub: Hub) -> None:
    hub.add("Maker/Wrong-GGUF", {"Wrong-Q4_K_M.gguf": b"<html>" * 1000})
    _, source = told(find_model(Lookup(client), "Maker/Wrong-GGUF"))
    with pytest.raises(BrokenDownload, match="not a GGUF"):
        told(estimate(client, Selection(source, None, "Q4_K_M"), room=PLENTY, context_tokens=512))


def test_a_missing_repository_is_the_same_error_as_ever(client: HubClient, planning: Planning, hub: Hub) -> None:
    del hub.models["Maker/spark_tiny_dspark"]
    with pytest.raises(NotOnHub):
        settled(client, planning, PLENTY)


@pytest.mark.parametrize("command", ["pull", "build"])
def test_the_commands_say_it_first_and_in_json(
    command: str,
    client: HubClient,
    hub: Hub,
    planning: Planning,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sparkdesk.hub.client.Hub", lambda: client)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "desk"))
    assert run([command, "tiny", "--dry-run", "--json"]) == 0
    out, talk = capsys.readouterr()
    fit = json.loads(out)["fit"]
    assert fit["fits"] and fit["download_bytes"] > 0 and len(fit["quantizations"]) == 3
    assert fit["why"] in talk and "Q4_K_M: " in talk
    assert "model.safetensors" not in {each.path for each in hub.served}


def test_a_search_says_what_fits(puller: Puller, hub: Hub, planning: Planning) -> None:
    hub.models["Maker/Tiny-GGUF"] = Model(
        "Maker/Tiny-GGUF",
        hub.models["Maker/Tiny-GGUF"].files,
        tags=("gguf", "base_model:quantized:Maker/Spark-Tiny"),
        architecture="qwen3",
    )
    done = puller.run("search", "tiny", "--fit")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Q4_K_M fits") == 2


def _room_for(client: HubClient, planning: Planning, quantization: str) -> FreeMemory:
    """So much that this one fits and the next larger one does not."""
    wanted = told(planning.find("Q8_0"))[1]
    forecast = told(estimate(client, wanted, room=PLENTY, context_tokens=512))[1]
    assert forecast is not None
    (option,) = (each for each in forecast.options if each.quantization == quantization)
    return FreeMemory(option.plan.need.host_bytes + 500_100_000)


def _files(checkpoint: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in checkpoint.iterdir()}


def _gguf(path: Path, weights_bytes: int, *, padding: int = 0) -> bytes:
    """A target of the bundled one's shape, with weights of so many bytes in all, and a header that is long."""
    writer = gguf.GGUFWriter(str(path), "qwen3")
    writer.add_embedding_length(192)
    writer.add_block_count(16)
    writer.add_head_count(3)
    writer.add_head_count_kv(3)
    writer.add_key_length(64)
    writer.add_value_length(64)
    writer.add_feed_forward_length(512)
    writer.add_context_length(2048)
    rows = weights_bytes // 4 // 17 // 192
    writer.add_token_list([f"token {i}" for i in range(min(rows, 2048))])
    if padding:
        writer.add_string("general.description", "x" * padding)
    writer.add_tensor("token_embd.weight", np.zeros((rows, 192), np.float32))
    for layer in range(16):
        writer.add_tensor(f"blk.{layer}.attn_q.weight", np.zeros(weights_bytes // 4 // 17, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()
