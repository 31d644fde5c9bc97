"""Caches and state that do not parse, or say what cannot be: thrown away, as if they were not there."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sparkdesk.__main__ import main
from sparkdesk.bench.run_report import _NEEDED, FORMAT, KIND
from sparkdesk.bench.run_store import hashes_of, kept_runs, where_it_pays
from sparkdesk.config.paths import HOME_VARIABLE, Paths, user_paths
from sparkdesk.engine.pair import _remembering_tuner
from sparkdesk.engine.settings import LoadSettings
from sparkdesk.library.model_dirs import mark_used, read_last_used
from sparkdesk.runner.crash_memory import CrashMemory
from sparkdesk.runner.tuner_state import TunerState
from tests.attack.gguf_bytes import gguf, write
from tests.engine.scheduling.test_tuner import long_pair, play, shares
from tests.runner.fake_child import INFO

TEXTS = (
    "", "null", "[]", "{}", "[" * 100_000, "{" * 100_000, "\ufeff{}", "1e999", "NaN", '{"a": 1e999}', "\0",
    "{" + '"a":' * 9,
    '{"format": 2, "files": []}', '{"format": 2, "files": {"x": 3}}', "9" * 5000,
)  # fmt: skip
ABSURD: tuple[Any, ...] = (
    None, "x", [], {}, -1, 1 << 62, 10**400, 1e308, -1e308, float("nan"), float("inf"), True, [[1]], "9" * 100, 0,
)  # fmt: skip


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    paths = user_paths()
    paths.models.mkdir(parents=True)
    write(paths.models / "m.gguf", gguf())
    return paths


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(leaf for key, each in inner for leaf in leaves(each, (*path, key)))]


def spoiled(state: Any, rng: random.Random) -> Any:
    """One value of it, wherever it is, replaced by something absurd."""
    spoilt = copy.deepcopy(state)
    path = rng.choice([leaf for leaf in leaves(spoilt) if leaf])
    place = spoilt
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = rng.choice(ABSURD)
    return spoilt


@pytest.mark.parametrize("text", TEXTS)
def test_files_that_do_not_parse_are_as_if_they_were_not_there(
    paths: Paths, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (paths.headers_file, paths.last_used_file, paths.machine_file, paths.models / "p" / "pair.json",
                 paths.runs / "2026-01-01_00-00-00.json"):  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert main(["list", "--json"]) == 0
    assert "m.gguf" in capsys.readouterr().out
    assert not CrashMemory(paths.machine_file).needs_safe_buffers
    assert kept_runs(paths.runs) == ()
    mark_used(paths.last_used_file, [paths.models / "m.gguf"])
    assert list(read_last_used(paths.last_used_file).values())


@pytest.mark.parametrize("seed", range(60))
def test_poisoned_headers_are_read_anew(paths: Paths, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    """One wrong value in headers.json made `list` a traceback."""
    assert main(["list", "--json"]) == 0
    sound = capsys.readouterr().out
    cache = json.loads(paths.headers_file.read_text())
    paths.headers_file.write_text(json.dumps(spoiled(cache, random.Random(seed))))
    assert main(["list", "--json"]) == 0
    told, wanted = json.loads(capsys.readouterr().out), json.loads(sound)
    assert [model["name"] for model in told["models"]] == [model["name"] for model in wanted["models"]]


@pytest.fixture(scope="module")
def learned() -> Any:
    pair = long_pair(shares((0.8, 64)))
    play(pair, 200)
    return json.loads(json.dumps(pair.tuner.state()))


@pytest.mark.parametrize("seed", range(60))
def test_a_poisoned_tuner_state_costs_no_reply(tmp_path: Path, learned: Any, seed: int) -> None:
    for name in ("t.gguf", "d.gguf"):
        (tmp_path / name).write_bytes(b"weights")
    settings = LoadSettings(str(tmp_path / "t.gguf"), str(tmp_path / "d.gguf"))
    TunerState(tmp_path / "learnt").remember(settings, INFO, spoiled(learned, random.Random(seed)))
    recalled = TunerState(tmp_path / "learnt").recall(settings, INFO)
    pair = long_pair(shares((0.8, 64)))
    pair.tuner = _remembering_tuner(7, recalled or {})
    with np.errstate(all="raise", under="ignore"):
        play(pair, 40)


@pytest.mark.parametrize("field", ["model", "files", "overall", "domains"])
@pytest.mark.parametrize("value", [3, "x", None, [3], {"x": 3}], ids=str)
def test_a_kept_run_with_a_hole_is_passed_over(paths: Paths, field: str, value: object) -> None:
    facts = {"files": {}, "overall": {}, "domains": {}, "model": {"target": "t", "draft": "d", "block_size": 7}}
    run = {"kind": KIND, "format": FORMAT, **dict.fromkeys(_NEEDED, 0), **facts}
    paths.runs.mkdir(parents=True)
    path = paths.runs / "2026-01-01_00-00-00.json"
    path.write_text(json.dumps(run))
    assert [found.pair for found in kept_runs(paths.runs)] == ["t + d"]
    path.write_text(json.dumps({**run, field: value}))
    for found in kept_runs(paths.runs):
        assert found.pair == "t + d" and isinstance(found.overall, dict)
        assert where_it_pays([found]) is not None and hashes_of(found) is not None
