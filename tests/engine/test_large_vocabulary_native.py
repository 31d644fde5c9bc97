"""Grammars over a vocabulary of a real size: the draft's likeliest tokens are seldom what the grammar allows."""

from collections.abc import Iterator

import pytest

from sparkdesk.bench.synthetic.pair import quantize_pair, write_pair
from sparkdesk.bench.synthetic.weights import SyntheticShape
from sparkdesk.engine.markov import _SMALL_BYTES
from sparkdesk.engine.pair import Pair
from sparkdesk.engine.settings import (
    Control,
    GenerationSettings,
    GrammarSettings,
    LoadSettings,
    SamplingSettings,
    SpeculationSettings,
)
from sparkdesk.engine.speculate import generate
from tests.engine.tables import Run, collect

pytestmark = pytest.mark.native

SHAPE = SyntheticShape(
    hidden=64,
    layers=6,
    feed_forward=64,
    heads=2,
    kv_heads=1,
    head_dim=32,
    vocabulary=151_936,
    draft_layers=1,
    markov_rank=64,
)
"""Qwen3's vocabulary, so that the Markov head stays packed in the file as every real one does."""
GRAMMARS = {
    "text": GrammarSettings(gbnf='root ::= "hello world"'),
    "schema": GrammarSettings(json_schema='{"type": "object", "properties": {"n": {"enum": [17]}}, "required": ["n"]}'),
    "trigger": GrammarSettings(gbnf='root ::= " [" [0-9]{3} "]"', triggers=("tok",)),
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, use_extra_buffers: bool) -> Iterator[Pair]:
    assert SHAPE.vocabulary * SHAPE.markov_rank * 4 > _SMALL_BYTES
    files = quantize_pair(write_pair(tmp_path_factory.mktemp("large") / "large", SHAPE), target_type="Q8_0")
    settings = LoadSettings(
        str(files.target), str(files.draft), context_tokens=256, threads=1, use_extra_buffers=use_extra_buffers
    )
    with Pair.open(settings) as opened:
        yield opened


def answer(pair: Pair, grammar: GrammarSettings, length: int | None, sampling: SamplingSettings) -> Run:
    speculation = SpeculationSettings(is_enabled=length != 0, draft_length=length or None)
    settings = GenerationSettings(30, frozenset(pair.info.end_tokens), sampling, speculation, grammar)
    return collect(generate(pair, pair.tokenize("next train"), settings, Control(speculation)))


@pytest.mark.parametrize("length", [1, 2, 7, None])
@pytest.mark.parametrize("name", GRAMMARS)
def test_greedy_text_is_that_of_plain_decoding(pair: Pair, name: str, length: int | None) -> None:
    """A block of which the grammar allows none of the draft's 256 likeliest tokens once ended the reply."""
    greedy = SamplingSettings(temperature=0)
    plain = answer(pair, GRAMMARS[name], 0, greedy)
    assert answer(pair, GRAMMARS[name], length, greedy).tokens == plain.tokens


@pytest.mark.parametrize("length", [2, 7])
def test_sampled_text_fits_the_grammar(pair: Pair, length: int) -> None:
    done = answer(pair, GRAMMARS["text"], length, SamplingSettings(temperature=1.0, top_k=0, top_p=1.0, seed=5))
    assert b"".join(map(pair.piece, done.tokens)) == b"hello world"
