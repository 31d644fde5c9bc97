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
from tests.ui.sitting import NARROW, Sitting, at_open_desk

WRITTEN = '# My own words.\nthreads = 2  # the fast ones\n\n[keys]\nchat.live = "f12"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "settings.toml"
    file.write_text(WRITTEN)
    return file


@asynccontextmanager
async def at_settings(path: Path, **given: object) -> AsyncIterator[Sitting]:
    async with at_open_desk(size=NARROW, preferences=Preferences(path, given)) as sitting:
        await sitting.pilot.press("f2")
        await sitting.until(lambda: "threads" in sitting.picture())
        yield sitting


async def go_to(sitting: Sitting, name: str) -> None:
    rows = sitting.app.screen.query_one(SettingRows)
    rows.highlighted = rows.get_option_index(name)
    await sitting.pilot.pause()


def words(sitting: Sitting) -> str:
    return " ".join(sitting.picture().replace("▌", "").split())


def row(sitting: Sitting, name: str) -> str:
    line = next(line for line in sitting.picture().splitlines() if f" {name} " in line + " ")
    return " ".join(line.rstrip("▁▂▃▄▅▆▇█ ").split())


async def write(sitting: Sitting, text: str) -> None:
    """In place of what is in the field."""
    await sitting.pilot.press("enter", "ctrl+u", "end", "ctrl+u", *text, "enter")
    await sitting.pilot.pause()


async def test_each_setting_says_what_holds_where_it_comes_from_and_what_it_means(path: Path) -> None:
    async with at_settings(path, context_tokens=512) as sitting:
        assert row(sitting, "threads") == "• Threads 2 threads file"
        assert row(sitting, "context_tokens") == "- Context length 512 context_tokens command line"
        assert row(sitting, "draft_length") == "Draft length auto draft_length"
        assert "0: as many as are fastest, up to the physical cores" in words(sitting)
        await go_to(sitting, "context_tokens")
        assert "overrides the file, which has 4096" in words(sitting)
        await go_to(sitting, "chat.live")
        assert "F12" in words(sitting) and "Default: F3" in words(sitting)


async def test_a_value_is_changed_in_place_and_the_rest_of_the_file_stays(path: Path) -> None:
    async with at_settings(path) as sitting:
        await write(sitting, "8")
        assert path.read_text() == WRITTEN.replace("= 2 ", "= 8 ")
        assert row(sitting, "threads") == "• Threads 8 threads file"
        assert "Applies after reload (Ctrl+R)" in words(sitting)


async def test_nonsense_is_refused_with_what_it_may_be_and_stays_to_be_mended(path: Path) -> None:
    async with at_settings(path) as sitting:
        await write(sitting, "many")
        assert "Threads must be a whole number up to" in sitting.picture()
        await sitting.pilot.press("ctrl+u", "3", "enter")
        assert read_settings(path).threads == 3


async def test_escape_leaves_a_value_as_it_was_and_then_the_screen(path: Path) -> None:
    async with at_settings(path) as sitting:
        await sitting.pilot.press("enter", "9", "escape")
        assert isinstance(sitting.app.screen, SettingsScreen)
        await sitting.pilot.press("escape")
        assert isinstance(sitting.app.screen, ChatScreen)
        assert path.read_text() == WRITTEN


async def test_a_switch_needs_no_typing(path: Path) -> None:
    async with at_settings(path) as sitting:
        await go_to(sitting, "animations")
        await sitting.pilot.press("space")
        assert read_settings(path).animations is False
        assert sitting.app.animation_level == "none"


async def test_delete_goes_back_to_the_default(path: Path) -> None:
    async with at_settings(path) as sitting:
        await sitting.pilot.press("delete")
        assert "threads" not in path.read_text() and "# My own words." in path.read_text()


async def test_a_theme_is_tried_on_and_kept_or_not(path: Path) -> None:
    async with at_settings(path) as sitting:
        await go_to(sitting, "theme")
        await sitting.pilot.press("enter", "down")
        assert isinstance(sitting.app.screen, ThemesScreen)
        assert sitting.app.theme == "spark-light"
        await sitting.pilot.press("escape")
        assert sitting.app.theme == "spark-dark" and "theme" not in path.read_text()
        await sitting.pilot.press("enter", "down", "enter")
        await sitting.until(lambda: read_settings(path).theme == "spark-light")
        assert "spark-light" in sitting.picture()


async def test_a_key_changes_at_once_and_a_conflict_is_refused_before_it_is_written(path: Path) -> None:
    async with at_settings(path) as sitting:
        await go_to(sitting, "chat.live")
        await write(sitting, "f4")
        assert "F4 to both chat.speculation and chat.live" in words(sitting)
        assert path.read_text() == WRITTEN
        await sitting.pilot.press("ctrl+u", *"f11", "enter")
        assert read_settings(path).keys == {"chat.live": "f11"}
        await sitting.pilot.press("escape", "f11")
        assert sitting.app.has_class(NO_LIVE)


async def test_what_someone_wrote_meanwhile_is_not_overwritten(path: Path) -> None:
    async with at_settings(path) as sitting:
        path.write_text(WRITTEN.replace("= 2 ", "= 4 "))
        await write(sitting, "8")
        assert "threads was changed in" in words(sitting)
        assert read_settings(path).threads == 4
        await sitting.pilot.press("escape")
        assert row(sitting, "threads") == "• Threads 4 threads file"


async def test_a_broken_file_is_told_and_left_alone(path: Path) -> None:
    async with at_settings(path) as sitting:
        path.write_text("threads = ")
        await write(sitting, "8")
        assert "is not valid TOML" in sitting.picture()
        assert path.read_text() == "threads = "


async def test_reload_leads_back_and_loads(path: Path) -> None:
    async with at_settings(path) as sitting:
        await sitting.pilot.press("ctrl+r")
        await sitting.until(lambda: sitting.backend.reloaded == 1)
        assert isinstance(sitting.app.screen, ChatScreen)


async def test_a_reply_goes_on_behind_it(path: Path) -> None:
    desk = FakeBackend(Script(is_gated=True))
    async with at_open_desk(desk, preferences=Preferences(path)) as sitting:
        await sitting.say("a story")
        await sitting.pilot.press("f2")
        desk.conversation.let(1000)
        await sitting.until(desk.conversation.is_over.is_set)
        await sitting.pilot.press("escape")
        await sitting.until(lambda: "accepted length" in sitting.picture())


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
