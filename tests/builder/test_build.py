"""From a name to a pair that chats: downloaded, converted, tested, and nothing of it twice."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from sparkdesk.builder.record import Record, read_record
from sparkdesk.demo import bundled
from tests.hub.pulling import Puller
from tests.hub.server import Fault, Hub, Model

pytestmark = pytest.mark.native

CATALOG = """
[[pair]]
name = "tiny"
title = "Tiny"
notes = ["A note."]
[pair.target]
checkpoint = "Maker/Spark-Tiny"
gguf = [{ repository = "Maker/Spark-Tiny-GGUF" }]
[pair.draft]
checkpoint = "Maker/spark_tiny_dspark"
"""
WEIGHTS = "model.safetensors"
TARGET, DRAFT = "Spark-Tiny-F16.gguf", "Spark-Tiny-DSpark-Q8_0.gguf"


@pytest.fixture
def target(hub: Hub) -> Model:
    return hub.add("Maker/Spark-Tiny", _files(bundled.target_folder()))


@pytest.fixture
def draft(hub: Hub) -> Model:
    return hub.add("Maker/spark_tiny_dspark", _files(bundled.draft_folder()))


@pytest.fixture
def builder(puller: Puller, target: Model, draft: Model) -> Puller:
    config = puller.home / "desk" / "config"
    config.mkdir(parents=True)
    (config / "catalog.toml").write_text(CATALOG)
    return puller


def build(builder: Puller, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return builder.run("build", "tiny", "--quant", "F16", "--threads", "1", *arguments)


def folder(builder: Puller) -> Path:
    return builder.home / "desk" / "data" / "models" / "tiny"


def test_a_name_becomes_a_pair_that_chats(builder: Puller, hub: Hub, target: Model) -> None:
    done = build(builder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(folder(builder) / TARGET), str(folder(builder) / DRAFT)]
    assert "A note." in done.stderr and "accepted length" in done.stderr
    pair = json.loads((folder(builder) / "pair.json").read_text())
    assert (pair["name"], pair["target"], pair["draft"], pair["quantization"]) == ("tiny", TARGET, DRAFT, "F16")
    assert pair["target_source"] == {"repository": target.name, "revision": target.revision, "file": ""}
    answer = builder.run("chat", "tiny", "--prompt", "Count from 1 to 9.", "--draft-length", "3", "--threads", "1")
    assert answer.returncode == 0 and "accepted length" in answer.stderr, answer.stderr


def test_what_was_done_is_not_done_again(builder: Puller, hub: Hub) -> None:
    build(builder)
    asked = len(hub.served)
    before = {path.name: path.stat().st_mtime_ns for path in folder(builder).iterdir()}
    shutil.rmtree(builder.cache)  # the checkpoints have done their work
    done = build(builder)
    assert done.returncode == 0 and len(hub.served) == asked
    assert {path.name: path.stat().st_mtime_ns for path in folder(builder).iterdir()} == before


def test_a_build_stopped_between_two_steps_goes_on(builder: Puller, hub: Hub, draft: Model) -> None:
    hub.fail(WEIGHTS, Fault(), Fault(hold_after=400_000))
    with builder.start("build", "tiny", "--quant", "F16", "--no-test") as process:
        assert hub.held.wait(60)
        while not builder.partial(draft, WEIGHTS).exists() or builder.partial(draft, WEIGHTS).stat().st_size < 300_000:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, talk = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "") and "kept" in talk
    assert not (folder(builder) / "pair.json").exists()
    kept = builder.partial(draft, WEIGHTS).stat().st_size
    hub.go_on.set()
    assert build(builder, "--no-test").returncode == 0
    first, _, third = hub.ranges(WEIGHTS)
    assert first[1] == len(bundled.target_folder().joinpath(WEIGHTS).read_bytes())
    assert third == (kept, len(draft.files[WEIGHTS]))


def test_a_new_revision_is_made_anew(builder: Puller, hub: Hub, draft: Model) -> None:
    build(builder, "--no-test")
    before = (folder(builder) / TARGET).stat().st_mtime_ns
    draft.files["README.md"] = b"Better.\n"
    done = build(builder, "--no-test")
    assert done.returncode == 0, done.stderr
    pair = json.loads((folder(builder) / "pair.json").read_text())
    assert pair["draft_source"]["revision"] == draft.revision
    assert (folder(builder) / TARGET).stat().st_mtime_ns == before


def test_a_ready_made_target_is_used_where_it_lies(builder: Puller, hub: Hub, target: Model) -> None:
    build(builder, "--no-test")
    ready = hub.add("Maker/Spark-Tiny-GGUF", {TARGET: (folder(builder) / TARGET).read_bytes()})
    shutil.rmtree(folder(builder))
    done = build(builder, "--json", "--no-test")
    told = json.loads(done.stdout)
    assert told["target"] == str(builder.place(ready, TARGET)) and not told["is_tested"]
    assert sorted(path.name for path in folder(builder).iterdir()) == [DRAFT, "pair.json", "steps.json"]
    answer = builder.run("chat", "tiny", "--prompt", "Count.", "--max-tokens", "2", "--threads", "1")
    assert answer.returncode == 0, answer.stderr


def test_paths_are_as_good_as_repositories(builder: Puller, hub: Hub) -> None:
    sources = ("--target", str(bundled.target_folder()), "--draft", str(bundled.draft_folder()))
    done = builder.run("build", "mine", *sources, "--quant", "Q8_0", "--no-test")
    assert done.returncode == 0, done.stderr
    assert not hub.asked and done.stdout.splitlines()[0].endswith("-Q8_0.gguf")
    again = builder.run("build", "mine", *sources, "--quant", "Q8_0", "--no-test")
    assert again.stdout == done.stdout


def test_a_type_that_cannot_be_made_is_refused_before_the_download(builder: Puller, hub: Hub) -> None:
    done = builder.run("build", "tiny", "--quant", "Q9_X")
    assert done.returncode == 2 and "Q4_K_M" in done.stderr and not hub.served


def test_an_unknown_pair_to_chat_with_is_one_sentence(builder: Puller) -> None:
    done = builder.run("chat", "tiny", "--prompt", "x")
    assert done.returncode == 2 and "sparkdesk build tiny" in done.stderr


def _files(checkpoint: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in checkpoint.iterdir()}


_STEP = {"file": "t.gguf", "size_bytes": 5, "repository": "A/B", "revision": "0", "type": "Q8_0"}


@pytest.mark.parametrize(
    "steps",
    [
        {"made": {"target": {"file": 5}}},
        {"made": {"target": ["x"]}},
        {"made": {"target": {**_STEP, "file": "../../elsewhere.gguf"}}},
        {"made": {"target": {**_STEP, "size_bytes": "5"}}},
        {"made": {"target": _STEP}, "tested": []},
        [],
    ],
    ids=range(6),
)
def test_steps_that_make_no_sense_are_done_again(steps: object, tmp_path: Path) -> None:
    (tmp_path / "steps.json").write_text(json.dumps(steps))
    assert read_record(tmp_path) == Record({})
