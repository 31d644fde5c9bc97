"""Around the chat: help, palette, colours, first paint, and what the screen must not import."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from textual.content import Content
from textual.widgets import Static

from sparkdesk.ui import keys
from sparkdesk.ui.app import EXIT_AFTER_FIRST_PAINT, SparkDeskApp
from sparkdesk.ui.chat.screen import ChatScreen
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.widgets.loading_view import LoadingView
from sparkdesk.ui.commands import of_screen
from sparkdesk.ui.help import HelpScreen
from tests.ui.fake_backend import FakeBackend
from tests.ui.sitting import NARROW, Sitting, at_open_desk

ROOT = Path(__file__).parents[2]


async def test_help_lists_every_key_there_is_and_those_of_the_screen_in_front_first() -> None:
    async with at_open_desk() as sitting:
        await sitting.pilot.press("f1")
        assert isinstance(sitting.app.screen, HelpScreen)
        text = str(sitting.app.screen.query_one("#keys", Static).content)
        for key_id, binding in keys.everything().items():
            if not key_id.startswith("help."):
                assert " ".join((binding.tooltip or binding.description).split()) in " ".join(text.split()), key_id
                assert keys.in_words(keys.split(binding.key)[0]) in text, key_id
        assert text.index("Chat") < text.index("Everywhere") < text.index("Settings")
        assert "parked: drafts would cost time" in text
        await sitting.pilot.press("escape")
        assert isinstance(sitting.app.screen, ChatScreen)


async def test_help_finds_what_is_typed_and_says_when_there_is_nothing() -> None:
    async with at_open_desk(size=NARROW) as sitting:
        await sitting.pilot.press("f1", *"reload")
        assert "Ctrl+R" in sitting.picture() and "Ctrl+T" not in sitting.picture()
        await sitting.pilot.press(*"xyz")
        assert "No matches." in sitting.picture()


async def test_help_fits_a_small_window_and_scrolls() -> None:
    async with at_open_desk(size=NARROW) as sitting:
        await sitting.pilot.press("f1")
        assert "Switch speculation" in sitting.picture()
        text = str(sitting.app.screen.query_one("#keys", Static).content)
        assert max(map(len, text.splitlines())) <= 73, "a line would be wrapped"
        await sitting.pilot.press(*["pagedown"] * 20)
        assert "ended before its end" in sitting.picture()


async def test_the_palette_offers_what_the_keys_do() -> None:
    async with at_open_desk() as sitting:
        titles = [command.title for command in of_screen(sitting.chat)]
        for title in (
            "Switch speculation off",
            "Draft length: auto",
            "Draft length: 7",
            "New conversation",
            "Reload the model",
            "Copy the last reply",
            "Theme",
            "Help",
            "Quit",
        ):
            assert title in titles
        assert "Stop the reply" not in titles


async def test_the_palette_offers_every_key_of_the_screen_in_front_once() -> None:
    async with at_open_desk() as sitting:
        titles = [command.title for command in of_screen(sitting.chat)]
        assert len(titles) == len(set(titles))
        assert "Longer draft" in titles


async def test_the_key_of_a_screen_leads_back_from_it_too() -> None:
    async with at_open_desk() as sitting:
        await sitting.pilot.press("f1", "f1")
        assert isinstance(sitting.app.screen, ChatScreen)
        assert len(sitting.app.screen_stack) == 1


async def test_what_is_told_in_passing_hides_neither_the_prompt_nor_the_figures() -> None:
    desk = FakeBackend()
    app = SparkDeskApp(desk)
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        sitting = Sitting(desk, app, pilot)
        await sitting.until(lambda: sitting.chat.stage is Stage.READY and not sitting.chat.query(LoadingView))
        sitting.prompt.show("half a thought")
        app.notify("Something of interest, told in enough words to fill several lines of a small window.")
        await sitting.until(lambda: "Something of interest" in sitting.picture())
        assert "│ half a thought                                                               │" in sitting.picture()
        assert "speculation ON" in sitting.picture() and "by position ·······" in sitting.picture()


async def test_a_palette_entry_acts_on_the_desk() -> None:
    async with at_open_desk() as sitting:
        await sitting.pilot.press("ctrl+p")
        await sitting.pilot.press(*"length", "space", "4")
        await sitting.pilot.pause(0.3)
        await sitting.pilot.press("enter")
        await sitting.until(lambda: sitting.backend.conversation.speculation.draft_length == 4)


async def test_no_color_takes_the_colour_and_leaves_the_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with at_open_desk() as sitting:
        await sitting.ask()
        assert sitting.app.no_color
        picture = sitting.picture()
        for glyph in ("●", "█", "▓", "░", "━"):
            assert glyph in picture
        await sitting.pilot.press("ctrl+s")
        assert "○ speculation OFF" in sitting.picture()


@pytest.mark.parametrize("theme", ["spark-dark", "spark-light"])
async def test_both_themes_know_every_colour_the_sections_use(theme: str) -> None:
    async with at_open_desk() as sitting:
        sitting.app.theme = theme
        await sitting.pilot.pause()
        for name in ("spark-quiet", "spark-faint", "spark-calm", "primary", "error", "warning", "success"):
            assert Content.styled("x", f"${name}").spans
            assert name in sitting.app.get_css_variables()


async def test_a_foreign_theme_does_not_break_the_screen() -> None:
    """Our own colour names are unknown to Textual's themes, which the palette offers too."""
    async with at_open_desk() as sitting:
        sitting.app.theme = "nord"
        await sitting.ask()
        assert "accepted length" in sitting.picture()


async def test_the_benchmark_switch_ends_the_program_before_anything_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(EXIT_AFTER_FIRST_PAINT, "1")
    desk = FakeBackend()
    await SparkDeskApp(desk).run_async(headless=True)
    assert (desk.opened, desk.closed) == (0, 1)


def test_nothing_heavy_is_imported_before_the_first_paint() -> None:
    """The first paint waits for every import; the engine's process has its own."""
    program = (
        "import sys, asyncio;"
        "from sparkdesk.ui.app import SparkDeskApp;"
        "import sparkdesk.ui.help;"
        "from tests.ui.fake_backend import FakeBackend;"
        "asyncio.run(SparkDeskApp(FakeBackend()).run_async(headless=True));"
        "heavy = {'llama_cpp', 'torch', 'huggingface_hub', 'numpy', 'jinja2', 'gguf', 'markdown_it'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    environment = {**os.environ, EXIT_AFTER_FIRST_PAINT: "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment, cwd=ROOT
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"
