"""Conversations put aside: which are kept, which comes back, and what it must be worth."""

from collections.abc import Sequence

import pytest

from sparkdesk.engine.kv_snapshots import KvSnapshots, common_length
from tests.engine.tables import BYTES_PER_TOKEN, ScriptedPair, cycle_pair, run

SYSTEM = [1, 2, 3, 4] * 30


def conversation(first: int, length: int = 200) -> list[int]:
    """Differs from the others in its first token."""
    return [first, *([5, 6, 7, 8] * length)[: length - 1]]


def saving_pair(budget_bytes: int = 10**9, *, read_ms: float = 1.0) -> ScriptedPair:
    pair = cycle_pair()
    pair.saved = KvSnapshots(budget_bytes)
    pair.saved.learn_reading(1000, 1000 * read_ms)
    pair.saved.learn_reading = lambda tokens, elapsed_ms: None  # type: ignore[method-assign]
    return pair


def read_anew(pair: ScriptedPair, prompt: Sequence[int], *, length: int = 3) -> int:
    """Tokens of the prompt that had to be decoded."""
    return run(pair, list(prompt), length=length, max_tokens=8).outcome.stats.prefilled_tokens


@pytest.mark.parametrize("length", [0, 3])
def test_a_conversation_comes_back_without_being_read_again(length: int) -> None:
    """The scripted draft asserts that its features are those of the very positions."""
    pair = saving_pair()
    for first in (1, 2, 3):
        assert read_anew(pair, conversation(first), length=length) == 200
    for first in (2, 1, 3):
        follow_up = [*conversation(first), 9]
        assert read_anew(pair, follow_up, length=length) <= 2
    assert pair.saved.count == 2


@pytest.mark.parametrize("length", [0, 3])
def test_a_measurement_reads_its_whole_prompt_and_puts_nothing_aside(length: int) -> None:
    """What came from a cache would make its figures false."""
    pair = saving_pair()
    for first in (1, 1, 2, 1):
        prompt = conversation(first)
        stats = run(pair, prompt, length=length, max_tokens=8, reads_afresh=True).outcome.stats
        assert stats.prefilled_tokens == stats.prompt_tokens == 200
    assert pair.saved.count == 0


def test_without_a_budget_nothing_is_kept() -> None:
    pair = saving_pair(0)
    for first in (1, 2, 1):
        assert read_anew(pair, conversation(first)) == 200
    assert pair.saved.count == 0


def test_what_was_put_aside_longest_ago_goes_first() -> None:
    pair = saving_pair(2 * 210 * BYTES_PER_TOKEN)
    for first in (1, 2, 3, 4):
        read_anew(pair, conversation(first))
    assert pair.saved.size_bytes <= pair.saved.budget_bytes
    assert read_anew(pair, [*conversation(3), 9]) <= 2
    assert read_anew(pair, [*conversation(1), 9]) == 201


def test_one_that_is_larger_than_the_budget_is_not_kept_and_drives_no_other_out() -> None:
    pair = saving_pair(250 * BYTES_PER_TOKEN)
    for prompt in (conversation(1), conversation(2, 400), conversation(3)):
        read_anew(pair, prompt)
    assert read_anew(pair, [*conversation(1), 9]) <= 2


def test_short_ones_are_read_again() -> None:
    pair = saving_pair()
    for first in (1, 2):
        read_anew(pair, conversation(first, 20))
    assert pair.saved.count == 0


def test_where_reading_is_quicker_than_copying_nothing_is_copied() -> None:
    """On a fast card a prompt is read at a hundred tokens a millisecond."""
    pair = saving_pair(read_ms=1e-9)
    for first in (1, 2):
        read_anew(pair, conversation(first))
    assert pair.saved.count == 0


def test_a_conversation_that_went_on_replaces_its_beginning() -> None:
    """Every turn would take its own room otherwise."""
    pair = saving_pair()
    text = conversation(1)
    for turn in range(5):
        read_anew(pair, text)
        read_anew(pair, conversation(2))
        text = [*text, *([9, 10, 11] * 20), turn]
    assert pair.saved.count == 1
    assert read_anew(pair, text) <= 70


def test_a_shared_beginning_is_used_where_it_is_and_the_better_match_wins() -> None:
    """Clients with one system prompt: the cache has it already, and a saved state only helps where it has more."""
    pair = saving_pair()
    assert read_anew(pair, [*SYSTEM, *conversation(1)]) == 320
    assert read_anew(pair, [*SYSTEM, *conversation(2)]) == 200
    assert read_anew(pair, [*SYSTEM, *conversation(1), 9]) <= 2
    assert read_anew(pair, [*SYSTEM, 12, 12]) == 2


def test_editing_a_line_further_up_keeps_the_branch_that_is_left() -> None:
    pair = saving_pair()
    old, new = conversation(1, 300), [*conversation(1, 100), 12, *[5, 6] * 90]
    read_anew(pair, old)
    assert read_anew(pair, new) == 181
    assert read_anew(pair, [*old, 9]) <= 2


def test_memory_that_runs_out_costs_the_saved_states_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = saving_pair()
    read_anew(pair, conversation(1))

    def no_memory() -> None:
        raise MemoryError

    monkeypatch.setattr(pair.target, "save", no_memory)
    assert read_anew(pair, conversation(2)) == 200
    assert pair.saved.count == 0


def test_the_common_beginning_is_counted() -> None:
    assert common_length([1, 2, 3], [1, 2, 4]) == 2
    assert common_length([1, 2], [1, 2, 3]) == 2
    assert common_length([], [1]) == 0
