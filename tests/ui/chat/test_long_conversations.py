"""Long conversations: what is far is not made, the reader's place holds, and the line says where one is."""

import pytest

from sparkdesk.chat.messages import Branch, Message
from sparkdesk.chat.trace import DRAFTED, RoundMark, Stretch
from sparkdesk.ui.chat.message_layout import MessageLayout
from sparkdesk.ui.chat.message_lines import ReplyEntry, UserEntry
from sparkdesk.ui.chat.widgets.message_list import MessageList
from sparkdesk.ui.chat.widgets.transcript import ScrollPosition
from tests.ui.fake_backend import STORY, FakeBackend, Script
from tests.ui.sitting import NARROW, Sitting, at_open_desk

COUNT = 2000


def said(count: int) -> list[Message]:
    return [
        Message("user", f"Question {number}?") if number % 2 == 0 else Message("assistant", f"Answer {number}. {STORY}")
        for number in range(count)
    ]


def roll_of(messages: list[Message]) -> MessageLayout:
    roll = MessageLayout()
    roll.extend(messages, lambda index: Branch(1, 1), model="")
    roll.fit(60)
    return roll


def seen(sitting: Sitting) -> list[str]:
    return [line.ljust(80)[:79].rstrip() for line in sitting.picture().splitlines()[1:15]]


def test_nothing_is_drawn_before_it_is_near() -> None:
    roll = roll_of(said(COUNT))
    assert not list(roll.made())
    before = roll.height
    roll.measure(range(COUNT - 4, COUNT))
    assert len(list(roll.made())) == 4
    assert abs(roll.height - before) < 40
    assert roll.top(COUNT) == roll.height


def test_tops_are_sums_of_heights_whatever_is_done() -> None:
    roll = roll_of(said(20))
    roll.measure(range(5, 9))
    roll.truncate(7)
    roll.append(UserEntry("three\nmore\nlines"))
    roll.append(ReplyEntry())
    roll.measure(range(len(roll)))
    heights = [len(roll[position].lines(60)) for position in range(len(roll))]
    assert [roll.top(position) for position in range(len(roll) + 1)] == [sum(heights[:n]) for n in range(len(roll) + 1)]
    assert all(roll.at(roll.top(position)) == position for position in range(len(roll)))


def test_how_long_a_thought_took_is_told_where_rounds_were_kept() -> None:
    entry = ReplyEntry()
    entry.write(
        "<think>abcd</think>ok",
        [Stretch(9, DRAFTED, 1), Stretch(12, DRAFTED, 2)],
        [RoundMark(1), RoundMark(1, elapsed_ms=1500.0), RoundMark(4, elapsed_ms=9000.0)],
    )
    assert "thought 1 word · 1.5 s" in entry.lines(60)[1].plain


@pytest.mark.parametrize("size", [NARROW, (140, 40)])
async def test_a_long_conversation_opens_at_its_end_and_makes_only_that(size: tuple[int, int]) -> None:
    async with at_open_desk(size=size) as sitting:
        await sitting.transcript.show_messages(said(COUNT))
        await sitting.until(lambda: "faster than either alone" in sitting.picture())
        assert sitting.talk.scroll_y == sitting.talk.max_scroll_y
        assert len(list(sitting.talk.roll.made())) < 20


async def test_scrolling_far_up_shows_the_beginning_and_says_what_is_below() -> None:
    async with at_open_desk(size=NARROW) as sitting:
        await sitting.transcript.show_messages(said(COUNT))
        await sitting.until(lambda: "faster than either alone" in sitting.picture())
        sitting.talk.scroll_home()
        await sitting.until(lambda: "Question 0?" in sitting.picture())
        await sitting.until(lambda: "  ↓ 1" in sitting.picture() and "earlier" not in sitting.picture())
        assert len(list(sitting.talk.roll.made())) < 40
        await sitting.pilot.press("alt+end")
        await sitting.until(lambda: "faster than either alone" in sitting.picture())
        await sitting.until(lambda: not sitting.chat.query_one(ScrollPosition).display)


async def test_lines_move_by_what_was_scrolled_while_older_messages_become_known() -> None:
    """Heights above the view are estimates at first; when they become known, the reader must not be moved."""
    async with at_open_desk(size=NARROW) as sitting:
        await sitting.transcript.show_messages(said(COUNT))
        await sitting.until(lambda: "faster than either alone" in sitting.picture())
        sitting.talk.scroll_relative(y=-5)
        await sitting.until(lambda: sitting.chat.query_one(ScrollPosition).display)  # it takes a line of the view
        for _ in range(40):
            before = seen(sitting)
            sitting.talk.scroll_relative(y=-5)
            await sitting.pilot.pause()
            assert seen(sitting)[5:] == before[: len(before) - 5]


async def test_another_width_keeps_the_end_in_view() -> None:
    async with at_open_desk(size=(140, 40)) as sitting:
        await sitting.transcript.show_messages(said(40))
        await sitting.pilot.pause()
        await sitting.pilot.resize_terminal(*NARROW)
        await sitting.until(lambda: sitting.talk.size.width < 90)
        await sitting.pilot.pause()
        assert "faster than either alone" in sitting.picture()


async def test_a_mark_stands_where_the_model_begins_to_read() -> None:
    desk = FakeBackend(Script(text="Short."))
    async with at_open_desk(desk) as sitting:
        await sitting.ask("one")
        await sitting.ask("two")
        assert "no longer reads" not in sitting.picture()
        desk.script.left_out = 2
        await sitting.ask("three")
        lines = sitting.picture().splitlines()
        mark = next(row for row, line in enumerate(lines) if "↑ the model no longer reads what is above" in line)
        assert any("two" in line for line in lines[mark:]) and any("one" in line for line in lines[:mark])
        desk.script.left_out = 4
        await sitting.ask("four")
        assert sitting.picture().count("no longer reads") == 1


async def test_the_mouse_selects_text_across_lines() -> None:
    async with at_open_desk(FakeBackend(Script(text="First line.\n\nSecond line."))) as sitting:
        await sitting.ask()
        top = sitting.talk.roll.top(1)
        await sitting.pilot.mouse_down(MessageList, offset=(2, top + 1))
        await sitting.pilot.hover(MessageList, offset=(12, top + 3))
        await sitting.pilot.mouse_up(MessageList, offset=(12, top + 3))
        assert sitting.app.screen.get_selected_text() == "First line.\n\nSecond line"
