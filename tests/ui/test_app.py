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
from sparkdesk.ui.messages import JobReported
from tests.ui.fake_backend import FakeBackend
from tests.ui.harness import NARROW, Harness, open_app

ROOT = Path(__file__).parents[2]


async def test_help_lists_every_key_there_is_and_those_of_the_screen_in_front_first() -> None:
    async with open_app() as harness:
        await harness.pilot.press("f1")
        assert isinstance(harness.app.screen, HelpScreen)
        text = str(harness.app.screen.query_one("#keys", Static).content)
        for key_id, binding in keys.everything().items():
            if not key_id.startswith("help."):
                assert " ".join((binding.tooltip or binding.description).split()) in " ".join(text.split()), key_id
                assert keys.in_words(keys.split(binding.key)[0]) in text, key_id
        assert text.index("Chat") < text.index("Everywhere") < text.index("Settings")
        assert "parked: drafts would cost time" in text
        await harness.pilot.press("escape")
        assert isinstance(harness.app.screen, ChatScreen)


async def test_help_finds_what_is_typed_and_says_when_there_is_nothing() -> None:
    async with open_app(size=NARROW) as harness:
        await harness.pilot.press("f1", *"reload")
        assert "Ctrl+R" in harness.picture() and "Ctrl+T" not in harness.picture()
        await harness.pilot.press(*"xyz")
        assert "No matches." in harness.picture()


async def test_help_fits_a_small_window_and_scrolls() -> None:
    async with open_app(size=NARROW) as harness:
        await harness.pilot.press("f1")
        assert "Switch speculation" in harness.picture()
        text = str(harness.app.screen.query_one("#keys", Static).content)
        assert max(map(len, text.splitlines())) <= 73, "a line would be wrapped"
        await harness.pilot.press(*["pagedown"] * 20)
        assert "ended before its end" in harness.picture()


async def test_the_palette_offers_what_the_keys_do() -> None:
    async with open_app() as harness:
        titles = [command.title for command in of_screen(harness.chat)]
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
    async with open_app() as harness:
        titles = [command.title for command in of_screen(harness.chat)]
        assert len(titles) == len(set(titles))
        assert "Longer draft" in titles


async def test_the_key_of_a_screen_leads_back_from_it_too() -> None:
    async with open_app() as harness:
        await harness.pilot.press("f1", "f1")
        assert isinstance(harness.app.screen, ChatScreen)
        assert len(harness.app.screen_stack) == 1


async def test_what_is_told_in_passing_hides_neither_the_prompt_nor_the_figures() -> None:
    desk = FakeBackend()
    app = SparkDeskApp(desk)
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        harness = Harness(desk, app, pilot)
        await harness.until(lambda: harness.chat.stage is Stage.READY and not harness.chat.query(LoadingView))
        harness.prompt.show("half a thought")
        app.notify("Something of interest, told in enough words to fill several lines of a small window.")
        await harness.until(lambda: "Something of interest" in harness.picture())
        assert "│ half a thought                                                               │" in harness.picture()
        assert "speculation ON" in harness.picture() and "by position ·······" in harness.picture()


async def test_a_palette_entry_acts_on_the_desk() -> None:
    async with open_app() as harness:
        await harness.pilot.press("ctrl+p")
        await harness.pilot.press(*"length", "space", "4")
        await harness.pilot.pause(0.3)
        await harness.pilot.press("enter")
        await harness.until(lambda: harness.backend.conversation.speculation.draft_length == 4)


async def test_no_color_takes_the_colour_and_leaves_the_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_app() as harness:
        await harness.ask()
        assert harness.app.no_color
        picture = harness.picture()
        for glyph in ("●", "█", "▓", "░", "━"):
            assert glyph in picture
        await harness.pilot.press("ctrl+s")
        assert "○ speculation OFF" in harness.picture()


@pytest.mark.parametrize("theme", ["spark-dark", "spark-light"])
async def test_both_themes_know_every_colour_the_sections_use(theme: str) -> None:
    async with open_app() as harness:
        harness.app.theme = theme
        await harness.pilot.pause()
        for name in ("spark-quiet", "spark-faint", "spark-calm", "primary", "error", "warning", "success"):
            assert Content.styled("x", f"${name}").spans
            assert name in harness.app.get_css_variables()


async def test_a_foreign_theme_does_not_break_the_screen() -> None:
    """Our own colour names are unknown to Textual's themes, which the palette offers too."""
    async with open_app() as harness:
        harness.app.theme = "nord"
        await harness.ask()
        assert "accepted length" in harness.picture()


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


def test_a_job_that_reports_while_the_app_is_closed_breaks_nothing() -> None:
    """Leaving during a download once ended in an unexpected error."""
    app = SparkDeskApp(FakeBackend())
    assert not app.screen_stack
    app.tell_chat_of_work(JobReported("half of it"))
