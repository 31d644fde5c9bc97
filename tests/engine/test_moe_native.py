"""A mixture of experts: the same text with prompt lookup, and with its experts put beside the rest."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sparkdesk.engine.llama.placing import expert_overrides
from sparkdesk.engine.pair import Pair
from sparkdesk.engine.settings import LoadSettings
from tests.engine.test_hybrid_native import answer
from tests.engine.tiny_gguf import FIRST_PLAIN
from tests.engine.tiny_moe import write_moe

pytestmark = pytest.mark.native

PROMPT = tuple(int(token) for token in np.random.default_rng(2).integers(FIRST_PLAIN, 600, 24))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_moe(tmp_path_factory.mktemp("moe") / "tiny.gguf")


@pytest.fixture(scope="module")
def pair(path: Path) -> Iterator[Pair]:
    with Pair.open(LoadSettings(str(path), context_tokens=1024, threads=1)) as pair:
        yield pair


def test_prompt_lookup_gives_the_same_text(pair: Pair) -> None:
    plain = answer(pair, PROMPT, length=0, afresh=True).tokens
    prompt = (*PROMPT, *plain[:40], *PROMPT, *plain[:6])
    alone = answer(pair, prompt, length=0, afresh=True).tokens
    looked_up = answer(pair, prompt, length=None, afresh=True)
    assert looked_up.tokens == alone
    assert max(r.verified for r in looked_up.rounds) > 0


@pytest.mark.parametrize("layers", [1, 3, 4, 99])
def test_experts_on_the_processor_change_nothing_that_is_said(pair: Pair, path: Path, layers: int) -> None:
    usual = answer(pair, PROMPT, length=0, afresh=True).tokens
    with Pair.open(LoadSettings(str(path), context_tokens=1024, threads=1, cpu_experts=layers)) as beside:
        assert answer(beside, PROMPT, length=0, afresh=True).tokens == usual


def test_the_overrides_name_the_experts_of_the_first_layers() -> None:
    found = expert_overrides(3)
    assert [each.pattern for each in found][:3] == [
        b"blk\\.%d\\.ffn_(up|down|gate|gate_up)_(ch|)exps" % layer for layer in range(3)
    ]
    assert all(each.buffer_type for each in found[:3])
    assert found[3].pattern is None and found[3].buffer_type is None
    assert expert_overrides(0) is None and expert_overrides(-1) is None
