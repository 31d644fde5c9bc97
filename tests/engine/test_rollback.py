"""What may be cut off a cache of recurrent states, and when."""

import pytest

from sparkdesk.engine.rollback import FreeRollback, StateRollback


@pytest.mark.parametrize(
    ("states", "rows", "most"), [(7, 8, 7), (7, 5, 4), (4, 8, 4), (7, 512, 7), (0, 8, 0), (7, 1, 0)]
)
def test_fewer_rows_than_the_last_pass_had_and_no_more_than_states_are_kept(states: int, rows: int, most: int) -> None:
    for cut in range(10):
        rollback = StateRollback(states)
        rollback.passed(rows)
        assert rollback.cut(cut) == (cut <= most)


def test_a_second_cut_before_the_next_pass_is_refused() -> None:
    rollback = StateRollback(7)
    rollback.passed(8)
    assert rollback.cut(2)
    assert not rollback.cut(1)
    rollback.passed(3)
    assert rollback.cut(2)


def test_after_a_pass_that_failed_not_even_nothing_may_be_cut() -> None:
    """The state itself is in doubt."""
    rollback = StateRollback(7)
    rollback.passed(8)
    rollback.failed()
    assert not rollback.cut(0)
    rollback.reset()
    assert rollback.cut(0) and not rollback.cut(1)


def test_a_kv_cache_may_be_cut_anywhere() -> None:
    rollback = FreeRollback()
    rollback.failed()
    assert rollback.cut(0) and rollback.cut(1000) and rollback.most_rows > 1_000_000
