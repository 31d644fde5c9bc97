"""A race's result in words."""

import pytest

from sparkdesk.bench.race_report import seconds


@pytest.mark.parametrize(("span_ms", "words"), [(4.2, "4 ms"), (99.4, "99 ms"), (240, "0.24 s"), (12_340, "12.3 s")])
def test_a_span_has_a_unit_in_which_something_is_left_of_it(span_ms: float, words: str) -> None:
    """Spark Tiny once won "by 0.00 s"."""
    assert seconds(span_ms) == words
