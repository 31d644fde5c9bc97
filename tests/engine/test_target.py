"""A target's tokens are what its cache holds, whatever goes wrong in between."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pytest

from sparkdesk.engine.block import FloatArray
from sparkdesk.engine.llama import Context
from sparkdesk.engine.target import Target
from sparkdesk.errors import EngineError


@dataclass
class ScriptedContext:
    """Holds positions; `cuts_back_to` is the least it can be cut back to, as a short sliding window has it."""

    context_tokens: int = 100
    vocabulary_size: int = 4
    cuts_back_to: int = 0
    fails_at: str = ""
    held: list[int] = field(default_factory=list)

    needs_checkpoints = False
    rollback_rows = 0

    def keep_layer_inputs(self, layers: Sequence[int]) -> None: ...

    def decode(self, tokens: Sequence[int], start: int, *, all_rows: bool) -> None:
        self.held[start:] = tokens
        if self.fails_at == "decode":
            raise EngineError("llama.cpp failed in a pass (status -3).")

    def logits(self, count: int) -> FloatArray:
        if self.fails_at == "logits":
            raise EngineError("llama.cpp returned no output for the last pass.")
        return np.zeros((count, self.vocabulary_size), np.float32)

    def remove_from(self, position: int) -> bool:
        if position < self.cuts_back_to:
            return False
        del self.held[position:]
        return True

    def clear(self) -> None:
        self.held.clear()


def target_on(context: ScriptedContext) -> Target:
    return Target(cast(Context, context))


@pytest.mark.parametrize("fails_at", ["decode", "logits"])
@pytest.mark.parametrize(("cuts_back_to", "kept"), [(0, [1, 2, 3]), (3, [1, 2, 3]), (4, []), (9, [])])
def test_a_pass_that_fails_leaves_cache_and_tokens_alike(fails_at: str, cuts_back_to: int, kept: list[int]) -> None:
    """Where the cache could not be cut back, the tokens said otherwise, and the next reply was about something else."""
    context = ScriptedContext(cuts_back_to=cuts_back_to)
    target = target_on(context)
    target.decode([1, 2, 3], all_rows=False)
    context.fails_at = fails_at
    with pytest.raises(EngineError):
        target.decode([4, 5], all_rows=True)
    assert target.tokens == context.held == kept


@pytest.mark.parametrize("fails_at", ["decode", "logits"])
def test_a_first_pass_that_fails_leaves_nothing(fails_at: str) -> None:
    context = ScriptedContext(fails_at=fails_at)
    target = target_on(context)
    with pytest.raises(EngineError):
        target.decode([4, 5], all_rows=False)
    assert target.tokens == context.held == []


@pytest.mark.parametrize(("length", "kept"), [(5, [1, 2, 3]), (3, [1, 2, 3]), (2, [1, 2]), (1, []), (0, [])])
def test_what_cannot_be_cut_is_read_again(length: int, kept: list[int]) -> None:
    context = ScriptedContext(cuts_back_to=2)
    target = target_on(context)
    target.decode([1, 2, 3], all_rows=False)
    target.truncate(length)
    assert target.tokens == context.held == kept
