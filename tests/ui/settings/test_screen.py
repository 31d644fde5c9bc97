"""Journeys at the settings screen: look, change, be refused, go back to the default, and find others' edits kept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sparkdesk.config.settings import read_settings
from sparkdesk.ui import keys as keys_module
from sparkdesk.ui.appearance import NO_LIVE
from sparkdesk.ui.chat.screen import ChatScreen
from sparkdesk.ui.settings.preferences import Preferences
from sparkdesk.ui.settings.rows import SettingRows, _line
from sparkdesk.ui.settings.screen import SettingsScreen
from sparkdesk.ui.settings.themes_dialog import ThemesScreen
from tests.ui.fake_backend import FakeBackend, Script
from tests.ui.harness import NARROW, Harness, open_app

WRITTEN = '# My own words.\nthreads = 2  # the fast ones\n\n[keys]\nchat.live = "f12"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "settings.toml"
    file.write_text(WRITTEN)
    return file


@asynccontextmanager
async def at_settings(path: Path, **given: object) -> AsyncIterator[Harness]:
    async with open_app(size=NARROW, preferences=Preferences(path, given)) as harness:
        await harness.pilot.press("f2")
        await harness.until(lambda: "threads" in harness.picture())
        yield harness


async def go_to(harness: Harness, name: str) -> None:
    rows = harness.app.screen.query_one(SettingRows)
    rows.highlighted = rows.get_option_index(name)
    await harness.pilot.pause()


def words(harness: Harness) -> str:
    return " ".join(harness.picture().replace("▌", "").split())


def row(harness: Harness, name: str) -> str:
    line = next(line for line in harness.picture().splitlines() if f" {name} " in line + " ")
    return " ".join(line.rstrip("▁▂▃▄▅▆▇█ ").split())


async def write(harness: Harness, text: str) -> None:
    """In place of what is in the field."""
    await harness.pilot.press("enter", "ctrl+u", "end", "ctrl+u", *text, "enter")
    await harness.pilot.pause()


async def test_each_setting_says_what_holds_where_it_comes_from_and_what_it_means(path: Path) -> None:
    async with at_settings(path, context_tokens=512) as harness:
        assert row(harness, "threads") == "• Threads 2 threads file"
        assert row(harness, "context_tokens") == "- Context length 512 context_tokens command line"
        assert row(harness, "draft_length") == "Draft length auto draft_length"
        assert "0: as many as are fastest, up to the physical cores" in words(harness)
        await go_to(harness, "context_tokens")
        assert "overrides the file, which has 4096" in words(harness)
        await go_to(harness, "chat.live")
        assert "F12" in words(harness) and "Default: F3" in words(harness)


async def test_a_value_is_changed_in_place_and_the_rest_of_the_file_stays(path: Path) -> None:
    async with at_settings(path) as harness:
        await write(harness, "8")
        assert path.read_text() == WRITTEN.replace("= 2 ", "= 8 ")
        assert row(harness, "threads") == "• Threads 8 threads file"
        assert "Applies after reload (Ctrl+R)" in words(harness)


async def test_nonsense_is_refused_with_what_it_may_be_and_stays_to_be_mended(path: Path) -> None:
    async with at_settings(path) as harness:
        await write(harness, "many")
        assert "Threads must be a whole number up to" in harness.picture()
        await harness.pilot.press("ctrl+u", "3", "enter")
        assert read_settings(path).threads == 3


async def test_escape_leaves_a_value_as_it_was_and_then_the_screen(path: Path) -> None:
    async with at_settings(path) as harness:
        await harness.pilot.press("enter", "9", "escape")
        assert isinstance(harness.app.screen, SettingsScreen)
        await harness.pilot.press("escape")
        assert isinstance(harness.app.screen, ChatScreen)
        assert path.read_text() == WRITTEN


async def test_a_switch_needs_no_typing(path: Path) -> None:
    async with at_settings(path) as harness:
        await go_to(harness, "animations")
        await harness.pilot.press("space")
        assert read_settings(path).animations is False
        assert harness.app.animation_level == "none"


async def test_delete_goes_back_to_the_default(path: Path) -> None:
    async with at_settings(path) as harness:
        await harness.pilot.press("delete")
        assert "threads" not in path.read_text() and "# My own words." in path.read_text()


async def test_a_theme_is_tried_on_and_kept_or_not(path: Path) -> None:
    async with at_settings(path) as harness:
        await go_to(harness, "theme")
        await harness.pilot.press("enter", "down")
        assert isinstance(harness.app.screen, ThemesScreen)
        assert harness.app.theme == "spark-light"
        await harness.pilot.press("escape")
        assert harness.app.theme == "spark-dark" and "theme" not in path.read_text()
        await harness.pilot.press("enter", "down", "enter")
        await harness.until(lambda: read_settings(path).theme == "spark-light")
        assert "spark-light" in harness.picture()


async def test_a_key_changes_at_once_and_a_conflict_is_refused_before_it_is_written(path: Path) -> None:
    async with at_settings(path) as harness:
        await go_to(harness, "chat.live")
        await write(harness, "f4")
        assert "F4 to both chat.speculation and chat.live" in words(harness)
        assert path.read_text() == WRITTEN
        await harness.pilot.press("ctrl+u", *"f11", "enter")
        assert read_settings(path).keys == {"chat.live": "f11"}
        await harness.pilot.press("escape", "f11")
        assert harness.app.has_class(NO_LIVE)


async def test_what_someone_wrote_meanwhile_is_not_overwritten(path: Path) -> None:
    async with at_settings(path) as harness:
        path.write_text(WRITTEN.replace("= 2 ", "= 4 "))
        await write(harness, "8")
        assert "threads was changed in" in words(harness)
        assert read_settings(path).threads == 4
        await harness.pilot.press("escape")
        assert row(harness, "threads") == "• Threads 4 threads file"


async def test_a_broken_file_is_told_and_left_alone(path: Path) -> None:
    async with at_settings(path) as harness:
        path.write_text("threads = ")
        await write(harness, "8")
        assert "is not valid TOML" in harness.picture()
        assert path.read_text() == "threads = "


async def test_reload_leads_back_and_loads(path: Path) -> None:
    async with at_settings(path) as harness:
        await harness.pilot.press("ctrl+r")
        await harness.until(lambda: harness.backend.reloaded == 1)
        assert isinstance(harness.app.screen, ChatScreen)


async def test_a_reply_goes_on_behind_it(path: Path) -> None:
    desk = FakeBackend(Script(is_gated=True))
    async with open_app(desk, preferences=Preferences(path)) as harness:
        await harness.say("a story")
        await harness.pilot.press("f2")
        desk.conversation.let(1000)
        await harness.until(desk.conversation.is_over.is_set)
        await harness.pilot.press("escape")
        await harness.until(lambda: "accepted length" in harness.picture())


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_columns_never_touch_and_never_leave_the_line(width: int, path: Path) -> None:
    """At 80 columns they once ran into each other."""
    preferences = Preferences(path, {"context_tokens": 512})
    preferences.read()
    keys = preferences.key_entries(keys_module.everything().values())
    long = replace(preferences.entries()[0], title="T" * 90, value="v" * 90)
    for entry in (*preferences.entries(), *keys, long):
        line = _line(entry, width).plain
        assert len(line.rstrip()) <= max(width, 80), line
        for text in (entry.title, entry.name):
            shown = text[:14]
            assert f" {shown}" in line, line
