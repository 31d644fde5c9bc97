"""Long conversations: what is far is not made, the reader's place holds, and the line says where one is."""

import pytest

from sparkdesk.chat.messages import Branch, Message
from sparkdesk.chat.trace import DRAFTED, RoundMark, Stretch
from sparkdesk.ui.chat.message_layout import MessageLayout
from sparkdesk.ui.chat.message_lines import ReplyEntry, UserEntry
from sparkdesk.ui.chat.widgets.message_list import MessageList
from sparkdesk.ui.chat.widgets.transcript import ScrollPosition
from tests.ui.fake_backend import STORY, FakeBackend, Script
from tests.ui.harness import NARROW, Harness, open_app

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


def seen(harness: Harness) -> list[str]:
    return [line.ljust(80)[:79].rstrip() for line in harness.picture().splitlines()[1:15]]


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
    async with open_app(size=size) as harness:
        await harness.transcript.show_messages(said(COUNT))
        await harness.until(lambda: "faster than either alone" in harness.picture())
        assert harness.talk.scroll_y == harness.talk.max_scroll_y
        assert len(list(harness.talk.roll.made())) < 20


async def test_scrolling_far_up_shows_the_beginning_and_says_what_is_below() -> None:
    async with open_app(size=NARROW) as harness:
        await harness.transcript.show_messages(said(COUNT))
        await harness.until(lambda: "faster than either alone" in harness.picture())
        harness.talk.scroll_home()
        await harness.until(lambda: "Question 0?" in harness.picture())
        await harness.until(lambda: "  ↓ 1" in harness.picture() and "earlier" not in harness.picture())
        assert len(list(harness.talk.roll.made())) < 40
        await harness.pilot.press("alt+end")
        await harness.until(lambda: "faster than either alone" in harness.picture())
        await harness.until(lambda: not harness.chat.query_one(ScrollPosition).display)


async def test_lines_move_by_what_was_scrolled_while_older_messages_become_known() -> None:
    """Heights above the view are estimates at first; when they become known, the reader must not be moved."""
    async with open_app(size=NARROW) as harness:
        await harness.transcript.show_messages(said(COUNT))
        await harness.until(lambda: "faster than either alone" in harness.picture())
        harness.talk.scroll_relative(y=-5)
        await harness.until(lambda: harness.chat.query_one(ScrollPosition).display)  # it takes a line of the view
        for _ in range(40):
            before = seen(harness)
            harness.talk.scroll_relative(y=-5)
            await harness.pilot.pause()
            assert seen(harness)[5:] == before[: len(before) - 5]


async def test_another_width_keeps_the_end_in_view() -> None:
    async with open_app(size=(140, 40)) as harness:
        await harness.transcript.show_messages(said(40))
        await harness.pilot.pause()
        await harness.pilot.resize_terminal(*NARROW)
        await harness.until(lambda: harness.talk.size.width < 90)
        await harness.pilot.pause()
        assert "faster than either alone" in harness.picture()


async def test_a_mark_stands_where_the_model_begins_to_read() -> None:
    desk = FakeBackend(Script(text="Short."))
    async with open_app(desk) as harness:
        await harness.ask("one")
        await harness.ask("two")
        assert "no longer reads" not in harness.picture()
        desk.script.left_out = 2
        await harness.ask("three")
        lines = harness.picture().splitlines()
        mark = next(row for row, line in enumerate(lines) if "↑ the model no longer reads what is above" in line)
        assert any("two" in line for line in lines[mark:]) and any("one" in line for line in lines[:mark])
        desk.script.left_out = 4
        await harness.ask("four")
        assert harness.picture().count("no longer reads") == 1


async def test_the_mouse_selects_text_across_lines() -> None:
    async with open_app(FakeBackend(Script(text="First line.\n\nSecond line."))) as harness:
        await harness.ask()
        top = harness.talk.roll.top(1)
        await harness.pilot.mouse_down(MessageList, offset=(2, top + 1))
        await harness.pilot.hover(MessageList, offset=(12, top + 3))
        await harness.pilot.mouse_up(MessageList, offset=(12, top + 3))
        assert harness.app.screen.get_selected_text() == "First line.\n\nSecond line"
