"""A hub with one model, and a user who has nothing yet."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.pulling import Puller
from tests.hub.server import Hub, Model

GGUF = "Small-Q4_K_M.gguf"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub().running() as hub:
        yield hub


@pytest.fixture
def puller(hub: Hub, tmp_path: Path) -> Puller:
    return Puller(hub, tmp_path)


@pytest.fixture
def model(hub: Hub) -> Model:
    return hub.add("Maker/Small-GGUF", {GGUF: random.Random(1).randbytes(400_000), "README.md": b"# Small\n"})
