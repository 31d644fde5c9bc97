"""Runs in a folder: kept whole, listed newest first, and holding figures only."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sparkdesk.bench.results import Comparison
from sparkdesk.bench.run_report import RunSettings, record
from sparkdesk.bench.run_store import (
    forget_run,
    hashes_of,
    keep_run,
    kept_runs,
    remember_hashes,
    where_it_pays,
)
from sparkdesk.errors import UsageError
from tests.bench.rounds import drafted_rounds, plain_rounds, reply
from tests.scripted_engine import MODEL

NOW = datetime(2026, 5, 6, 7, 8, 9)
SETTINGS = RunSettings("sparkdesk bench run", "tiny", 0.0, 64, None, 1)


def found(domain: str = "code", *, ms: float = 20.0, files: dict[str, Path] | None = None) -> dict[str, object]:
    compared = Comparison("a", domain, 0, reply(plain_rounds(8)), reply(drafted_rounds(2, ms=ms)), None)
    return record([compared], settings=SETTINGS, model=MODEL, files=files or {}, is_complete=True)


def test_runs_come_back_newest_first_and_two_of_one_second_are_two(tmp_path: Path) -> None:
    for seconds in (5, 0, 0):
        keep_run(found(), tmp_path / "runs", now=NOW + timedelta(seconds=seconds))
    runs = kept_runs(tmp_path / "runs")
    assert [run.measured_at.second for run in runs] == [14, 9, 9]
    assert len({run.path for run in runs}) == 3
    assert runs[0].overall["gain"]["median"] == 2.0


def test_no_folder_is_no_run_and_strange_files_are_passed_over(tmp_path: Path) -> None:
    assert kept_runs(tmp_path / "none") == ()
    (tmp_path / "2026-05-06_07-08-09.json").write_text("{")
    (tmp_path / "notes.json").write_text(json.dumps(found()))
    (tmp_path / "2026-05-06_07-08-10.json").write_text(json.dumps({**found(), "format": 99}))
    assert kept_runs(tmp_path) == ()


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(UsageError, match="could not be kept"):
        keep_run(found(), tmp_path / "runs", now=NOW)


def test_hashes_are_remembered_and_a_run_without_them_says_so(tmp_path: Path) -> None:
    model = tmp_path / "target.gguf"
    model.write_bytes(b"x")
    run = keep_run(found(files={"target": model}), tmp_path / "runs", now=NOW)
    assert hashes_of(run) is None
    remember_hashes(run, {"target": "abc"})
    (again,) = kept_runs(tmp_path / "runs")
    assert hashes_of(again) == {"target": "abc"}


def test_a_run_can_be_forgotten_twice(tmp_path: Path) -> None:
    run = keep_run(found(), tmp_path, now=NOW)
    forget_run(run)
    forget_run(run)
    assert kept_runs(tmp_path) == ()


def test_where_it_pays_takes_the_newest_gain_of_every_domain(tmp_path: Path) -> None:
    for hours, domain, ms in ((0, "code", 20.0), (1, "prose", 40.0), (2, "code", 10.0)):
        keep_run(found(domain, ms=ms), tmp_path, now=NOW + timedelta(hours=hours))
    (gains,) = where_it_pays(kept_runs(tmp_path)).values()
    assert gains == {"code": 4.0, "prose": 1.0}
