"""What every test gets: a home of its own, small pairs, and whether this build of llama.cpp crashes on fast buffers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair, quantize_pair, write_pair
from sparkdesk.bench.synthetic.weights import SyntheticShape
from sparkdesk.config.paths import HOME_VARIABLE
from sparkdesk.machine.cores import read_cores
from tests import smollm2 as real_model

pytest_plugins = ["tests.hub.fixtures"]

TINY_SHAPE = SyntheticShape(
    hidden=128,
    layers=6,
    feed_forward=256,
    heads=4,
    kv_heads=2,
    head_dim=32,
    vocabulary=640,
    draft_layers=2,
    markov_rank=64,
)
_PROBE = """
import sys
from pathlib import Path
from sparkdesk.engine.pair import Pair
from sparkdesk.engine.settings import LoadSettings
Pair.open(LoadSettings(sys.argv[1], sys.argv[2], context_tokens=128, threads=1)).close()
"""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Three workers for the whole suite on two cores or more, which wait for much; a part of it runs in this process.

    Every worker has session fixtures of its own, homes and pairs among them, and servers take any free port.
    """
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return 3 if is_whole and read_cores().usable > 1 else 0


def pytest_configure() -> None:
    """A shell lets what it starts in the background ignore SIGINT, and the tests' own children would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def isolated_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Nothing of the user's is read or written."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(home))
        yield home


@pytest.fixture(scope="session")
def synthetic_pair(tmp_path_factory: pytest.TempPathFactory) -> SyntheticPair:
    """F16, a draft that is right four times in five; its shape is TINY_SHAPE."""
    return write_pair(tmp_path_factory.mktemp("synthetic") / "tiny", TINY_SHAPE)


@pytest.fixture(scope="session")
def quantized_pair(synthetic_pair: SyntheticPair) -> SyntheticPair:
    """The synthetic pair as Q4_K_M and Q8_0."""
    return quantize_pair(synthetic_pair)


@pytest.fixture(scope="session")
def use_extra_buffers(quantized_pair: SyntheticPair) -> bool:
    """What to load quantized models with in the test process itself, which a miscompiled build would otherwise kill."""
    command = [sys.executable, "-c", _PROBE, str(quantized_pair.target), str(quantized_pair.draft)]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False, env=os.environ)
    return done.returncode == 0


@pytest.fixture(scope="session")
def tiny_pair(isolated_home: Path) -> SyntheticPair:
    """Spark Tiny, the bundled pair, converted as the demo does it; its prompt tokens are left empty."""
    from sparkdesk.events import Run
    from sparkdesk.loading.choice import demo_pair

    run = Run(demo_pair().prepare())
    list(run)
    assert run.result.draft is not None
    return SyntheticPair(run.result.target, run.result.draft, ())


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """SmolLM2-135M-Instruct, Q4_1: a real target without a draft. Skips where it cannot be had."""
    try:
        return real_model.find_or_fetch()
    except real_model.NotToBeHad as error:
        pytest.skip(str(error))
