"""Feature rows in waiting: positions, truncation, precision."""

import numpy as np
import pytest

from sparkdesk.engine.features import PendingFeatures


def rows(first: int, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.arange(first, first + count, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)


@pytest.mark.parametrize("length", range(10))
def test_rows_keep_their_positions_through_a_truncation(length: int) -> None:
    pending = PendingFeatures()
    pending.append(rows(0, 4))
    pending.append(rows(4, 1))
    pending.append(rows(5, 3))
    pending.truncate(length)
    assert (pending.start, pending.end) == (0, min(length, 8))
    pending.append(rows(pending.end, 2))
    assert pending.take()[:, 0].tolist() == list(range(min(length, 8) + 2))


def test_what_was_taken_is_gone_and_the_next_rows_follow_on() -> None:
    pending = PendingFeatures()
    pending.append(rows(0, 4))
    pending.take()
    assert (pending.start, pending.count) == (4, 0)


def test_outliers_survive_and_precision_is_that_of_bfloat16() -> None:
    """float16 would turn a massive activation into infinity."""
    values = np.array([[1e5, -3e38, 1e-30, 1.0039]], np.float32)
    pending = PendingFeatures()
    pending.append(values)
    assert np.allclose(pending.take(), values, rtol=2**-8)
