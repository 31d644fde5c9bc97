"""Spark Tiny as the engine's own tests load it."""

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.engine.settings import LoadSettings


@pytest.fixture(scope="session")
def tiny_load_settings(tiny_pair: SyntheticPair, use_extra_buffers: bool) -> LoadSettings:
    """One thread: two that wait for each other are slowest where the machine is busy."""
    return LoadSettings(
        str(tiny_pair.target),
        str(tiny_pair.draft),
        context_tokens=1024,
        threads=1,
        use_extra_buffers=use_extra_buffers,
    )
