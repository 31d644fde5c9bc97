"""What the history costs at the size of years of use, in time of this thread, which a busy machine changes little."""

import time
from pathlib import Path

import pytest

from tests.chat import measure_history

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    folder: Path = tmp_path_factory.mktemp("history")
    return measure_history.measure(folder, clock=time.thread_time)


@pytest.mark.parametrize(
    ("name", "limit_ms"),
    [
        ("opening a conversation of 2,000 messages", 200),
        ("listing 1,000", 50),
        ("searching a word", 50),
        ("searching one letter", 50),
        ("searching what is no word", 50),
        ("adding up what was saved", 50),
        ("saving a reply of 20,000 tokens", 50),
    ],
)
def test_it_stays_quick(measured: dict[str, float], name: str, limit_ms: float) -> None:
    assert measured[name] < limit_ms
