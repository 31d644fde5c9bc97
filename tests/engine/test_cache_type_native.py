"""A target whose KV cache is quantized: the draft follows it, rejected tokens leave it, and it is put aside whole."""

from collections.abc import Iterator

import pytest

from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.engine.pair import Pair
from sparkdesk.engine.settings import LoadSettings
from tests.engine.test_hybrid_native import answer

pytestmark = pytest.mark.native


@pytest.fixture(scope="module", params=["q8_0", "q4_0"])
def pair(request: pytest.FixtureRequest, synthetic_pair: SyntheticPair, use_extra_buffers: bool) -> Iterator[Pair]:
    settings = LoadSettings(
        str(synthetic_pair.target),
        str(synthetic_pair.draft),
        context_tokens=512,
        threads=1,
        cache_type=request.param,
        use_extra_buffers=use_extra_buffers,
    )
    with Pair.open(settings) as pair:
        yield pair


@pytest.mark.parametrize("length", [1, 4, 7, None])
def test_the_text_is_that_of_plain_decoding(pair: Pair, synthetic_pair: SyntheticPair, length: int | None) -> None:
    prompt = synthetic_pair.prompt_tokens
    plain = answer(pair, prompt, length=0, afresh=True).tokens
    drafted = answer(pair, prompt, length=length, afresh=True)
    assert drafted.tokens == plain
    assert length is None or max(r.accepted for r in drafted.rounds) > 0  # whether it pays is the tuner's business


def test_a_conversation_put_aside_comes_back(pair: Pair, synthetic_pair: SyntheticPair) -> None:
    prompt = synthetic_pair.prompt_tokens
    first = answer(pair, prompt, length=0, afresh=True)
    state = pair.target.save()
    answer(pair, prompt[::-1], length=0, afresh=True)
    pair.target.restore(state)
    again = answer(pair, prompt, length=0)
    assert again.tokens == first.tokens and again.outcome.stats.prefilled_tokens <= 1
