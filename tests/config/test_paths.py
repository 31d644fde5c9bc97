"""Where files are kept, with and without SPARKDESK_HOME."""

import json
from pathlib import Path

import pytest

from sparkdesk.cli.app import run
from sparkdesk.config.paths import HOME_VARIABLE, user_paths


def test_one_variable_moves_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "x"))
    paths = user_paths()
    for folder in (paths.config, paths.data, paths.state, paths.cache, paths.models, paths.logs):
        assert folder.is_relative_to(tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_otherwise_the_system_s_own_places_are_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(HOME_VARIABLE)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "sparkdesk" in str(user_paths().data)


def test_the_command_prints_them(isolated_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["paths", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["models"] == str(isolated_home / "data" / "models")
    assert run(["paths"]) == 0
    printed = capsys.readouterr().out
    assert all(folder in printed for folder in shown.values())
