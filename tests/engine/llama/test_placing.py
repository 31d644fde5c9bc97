"""Which of several graphics cards a target and its draft lie on; llama.cpp's structure is a fake here."""

from types import SimpleNamespace

import pytest
from llama_cpp import llama_cpp as C

from sparkdesk.engine.llama.placing import ALL_CARDS, Cards


@pytest.mark.parametrize(
    ("target", "count", "draft"),
    [
        (Cards(), 1, Cards()),
        (Cards(), 0, Cards()),
        (Cards(), 3, Cards(only=2)),
        (Cards((3.0, 1.0)), 2, Cards(only=1)),
        (Cards((3.0, 1.0, 0.0)), 3, Cards(only=1)),
        (Cards((3.0, 1.0, 5.0)), 2, Cards(only=1)),  # a share for a card that is not there
        (Cards((0.0, 0.0, 1.0)), 2, Cards(only=1)),
        (Cards(only=1), 3, Cards(only=1)),
        (Cards((1.0, 1.0), only=0), 2, Cards((1.0, 1.0), only=0)),
    ],
)
def test_a_draft_lies_on_the_card_of_the_last_layers(target: Cards, count: int, draft: Cards) -> None:
    assert target.of_draft(count) == draft


def test_shares_and_the_only_card_reach_llama_cpp() -> None:
    params = SimpleNamespace(split_mode=None, main_gpu=None, tensor_split=None)
    assert ALL_CARDS.apply(params) is None and params.split_mode is None
    shares = Cards((3.0, 1.0)).apply(params)
    assert params.split_mode == C.LLAMA_SPLIT_MODE_LAYER and params.tensor_split is shares
    assert list(shares)[:2] == [3.0, 1.0] and not any(list(shares)[2:])
    assert Cards((3.0, 1.0), only=1).apply(params) is None
    assert (params.split_mode, params.main_gpu) == (C.LLAMA_SPLIT_MODE_NONE, 1)
