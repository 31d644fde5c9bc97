"""A home for one test, where a test of the whole session's home would see what others left there."""

from pathlib import Path

import pytest

from sparkdesk.config.paths import HOME_VARIABLE, Paths, user_paths


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """The folders of a user who has nothing yet, a hub's cache among them."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "desk"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return user_paths()
