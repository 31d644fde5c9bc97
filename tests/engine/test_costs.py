"""The yardstick that speculation is held against."""

from sparkdesk.engine.costs import PlainCost


def test_nothing_measured_is_zero() -> None:
    assert PlainCost().ms_per_token == 0.0


def test_stalls_count_in_plain_decoding_as_they_do_in_a_reply() -> None:
    """A median left them out, and the same load made speculation look slower than plain decoding."""
    cost = PlainCost()
    for elapsed_ms in (1.0, 1.0, 1.0, 9.0):
        cost.observe(elapsed_ms)
    assert cost.ms_per_token == 3.0
