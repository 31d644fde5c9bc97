"""Plots: within their width, in the characters the stream can show, with names where the lines end."""

import pytest

from sparkdesk.bench.plot import plot

RISING = {"T": [(0.0, 1.0), (7.0, 8.0)], "D": [(1.0, 0.5), (7.0, 1.0)]}


@pytest.mark.parametrize("is_unicode", [True, False])
def test_lines_go_from_corner_to_corner(is_unicode: bool) -> None:
    rows = list(plot(RISING, width=40, height=8, is_unicode=is_unicode))
    assert len(rows) == 10 and max(map(len, rows)) <= 40
    assert rows[0].split()[0] == "8" and rows[0].endswith(" T")
    assert rows[7].split()[0] == "0" and any(row.endswith(" D") for row in rows[5:8])
    assert rows[-1].split() == ["0", "7"]
    assert all(row.isascii() for row in rows) is not is_unicode


def test_names_that_would_meet_are_put_on_rows_of_their_own() -> None:
    rows = list(plot({"one": [(0, 1), (1, 1)], "two": [(0, 1), (1, 1)]}, width=30, height=4, is_unicode=False))
    assert sum(row.endswith(("one", "two")) for row in rows) == 2


def test_a_single_point_and_none_at_all() -> None:
    assert any("*" in row for row in plot({"T": [(3.0, 2.0)]}, width=30, height=4, is_unicode=False))
    assert list(plot({"T": []}, width=30, height=4, is_unicode=False)) == []
