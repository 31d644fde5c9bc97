"""Where tokens came from, and the heatmap: what they are made of, and that they can be told apart without colour."""

import re

import pytest

from sparkdesk.chat.messages import Message
from sparkdesk.chat.trace import BONUS, DRAFTED, PLAIN, REPEATED, RoundMark, Stretch
from sparkdesk.ui.chat.heatmap import CAPACITY, Heat
from sparkdesk.ui.chat.token_origins import STYLES, legend, styled_pieces
from tests.ui.fake_backend import STORY, FakeBackend, Script
from tests.ui.harness import NARROW, open_app

ROUND = RoundMark(4, verified=5, accepted=3, source="draft", is_speculating=True, elapsed_ms=10.0)
PARKED = RoundMark(1, is_speculating=True, is_parked=True, elapsed_ms=10.0)
OFF = RoundMark(1, elapsed_ms=10.0)
ECHO = RoundMark(7, verified=8, accepted=6, source="context", is_speculating=True, elapsed_ms=10.0)


def picture(heat: Heat, width: int = 60) -> list[str]:
    return [line.plain.rstrip() for line in heat.lines(width)]


def test_every_character_has_the_style_of_its_token() -> None:
    stretches = (Stretch(3, DRAFTED, 1), Stretch(2, BONUS), Stretch(4, REPEATED, 1))
    pieces = list(styled_pieces("abcdefghi!", stretches))
    assert [text for text, _ in pieces] == ["abc", "de", "fghi", "!"]
    assert [style for _, style in pieces] == [STYLES[DRAFTED], STYLES[BONUS], STYLES[REPEATED], STYLES[PLAIN]]


def test_origins_differ_without_colour() -> None:
    looks = {re.sub(r"\$[\w-]+", "", style).strip() for style in STYLES.values()}
    assert len(looks) == len(STYLES)


def test_the_legend_has_shares_of_the_tokens_and_only_what_occurs() -> None:
    lines = [line.plain for line in legend([Stretch(9, DRAFTED, 1), Stretch(1, BONUS), Stretch(1, DRAFTED, 2)])]
    assert len(lines) == 2
    assert "67 %" in lines[0] and "drafted" in lines[0]
    assert "33 %" in lines[1]


def test_a_row_a_position_and_darker_where_more_survives() -> None:
    lines = picture(Heat([ROUND] * 20))
    assert [line[0] for line in lines[:5]] == list("12345")
    assert set(lines[0][2:-6].strip()) == {"█"} and set(lines[4][2:-6].strip()) == {"░"}
    assert lines[0].endswith("100 %") and lines[4].endswith("0 %")


def test_parked_off_and_repeating_stretches_look_different() -> None:
    lines = picture(Heat([ROUND] * 10 + [PARKED] * 10 + [OFF] * 10 + [ECHO] * 5))
    first, axis, key = lines[0], lines[-2], lines[-1]
    assert "█" in first and "┊" in first and "·" in first
    assert all(glyph in axis for glyph in "━┄╌═")
    for word in ("parked", "off", "repeating the context", "drafting"):
        assert word in key


def test_a_long_reply_gets_wider_columns_and_loses_no_round() -> None:
    heat = Heat([ROUND] * 20_000)
    columns = heat.columns(10**6)
    assert len(columns) <= CAPACITY
    assert sum(column.tokens for column in columns) == 80_000
    assert sum(column.verified[0] for column in columns) == 20_000
    assert all(len(line) <= 50 for line in picture(heat, 50)[:-1])


def test_rounds_that_come_one_by_one_make_the_same_picture() -> None:
    rounds = [ROUND, PARKED, ECHO, OFF] * 300
    heat = Heat()
    for done in rounds:
        heat.add([done])
    assert picture(heat) == picture(Heat(rounds))


@pytest.mark.parametrize("size", [NARROW, (140, 40)])
@pytest.mark.parametrize("colours", ["", "1"])
async def test_origins_of_all_replies_are_shown_on_demand(
    size: tuple[int, int], colours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if colours:
        monkeypatch.setenv("NO_COLOR", colours)
    async with open_app(FakeBackend(Script(lookup_every=5)), size=size) as harness:
        await harness.ask()
        before = harness.picture()
        assert "**small spark**" not in before
        await harness.pilot.press("ctrl+g")
        await harness.pilot.pause()
        tops = [[line[:78].rstrip() for line in each.splitlines()[1:4]] for each in (before, harness.picture())]
        assert tops[0] == tops[1], "the text is where it was"
        await harness.pilot.press("alt+end")
        await harness.pilot.pause()
        seen = harness.picture()
        assert "drafted and accepted" in seen and "acceptance by draft position" in seen and "share accepted" in seen
        harness.talk.scroll_home()
        await harness.pilot.pause()
        assert "**small spark**" in harness.picture()
        assert any(
            segment.style and segment.style.underline
            for row in range(harness.talk.size.height)
            for segment in harness.talk.render_line(row)
        )
        await harness.pilot.press("ctrl+g")
        await harness.pilot.pause()
        assert "drafted and accepted" not in harness.picture()


async def test_origins_are_seen_while_the_reply_comes_in() -> None:
    desk = FakeBackend(Script(is_gated=True, text=STORY))
    async with open_app(desk) as harness:
        await harness.pilot.press("ctrl+g")
        await harness.say("a story")
        desk.conversation.let(6)
        await harness.until(lambda: "drafted and accepted" in harness.picture())
        assert "**small spark**" in harness.picture()
        desk.conversation.let(1000)
        await harness.until(lambda: "592 tok/s" in harness.picture())


async def test_of_a_selected_reply_only_its_own_origins_are_shown() -> None:
    async with open_app(FakeBackend(Script(text="A short **one**."))) as harness:
        await harness.ask("one")
        await harness.ask("two")
        await harness.pilot.press("alt+up", "ctrl+g")
        await harness.pilot.pause()
        assert harness.picture().count("**one**") == 1
        assert not harness.chat.actions.shows_origins


async def test_a_reply_without_a_trace_says_so() -> None:
    async with open_app() as harness:
        await harness.transcript.show_messages([Message("user", "Hi."), Message("assistant", "Hello.")])
        await harness.pilot.press("ctrl+g")
        await harness.until(lambda: "No token sources recorded" in harness.picture())
