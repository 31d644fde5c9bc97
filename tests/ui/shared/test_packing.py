"""Pieces beside each other: full lines, and none of them broken."""

from textual.content import Content

from sparkdesk.ui.shared.bars import packed


def plain(pieces: list[str], width: int) -> list[str]:
    return [line.plain for line in packed(map(Content, pieces), width, between=" · ")]


def test_a_number_stays_with_its_unit() -> None:
    """After a figure, "saved 4.8" once ended a line, and "s" began the next."""
    assert plain(["1.67", "saved 4.8 s", "7 tokens"], 20) == ["1.67 · saved 4.8 s", "7 tokens"]


def test_what_has_no_room_alone_is_wrapped() -> None:
    assert plain(["one", "a long cause of it", "two"], 10) == ["one", "a long", "cause of", "it · two"]


def test_nothing_is_one_empty_line() -> None:
    assert plain([""], 10) == [""]
