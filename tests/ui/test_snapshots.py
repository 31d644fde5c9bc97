"""What the screens look like, at the usual small size and at a comfortable one; see snapshot.py for renewing them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sparkdesk.ui.bench.screen import BenchScreen
from sparkdesk.ui.chat.screen import ChatScreen
from sparkdesk.ui.settings.preferences import Preferences
from tests.ui.bench.test_race import race
from tests.ui.bench.test_suite_tab import run_suite
from tests.ui.fake_backend import FakeBackend, Script
from tests.ui.fake_bench import BenchScript
from tests.ui.fake_models import FakeModels
from tests.ui.harness import Harness, open_app
from tests.ui.snapshot import assert_snapshot

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])
ROUNDS = 12


@asynccontextmanager
async def at_rest(desk: FakeBackend, size: tuple[int, int]) -> AsyncIterator[Harness]:
    """Nothing moves, and no path of this machine is on the screen."""
    async with open_app(desk, size=size, preferences=Preferences(Path("settings.toml"))) as harness:
        harness.app.animation_level = "none"
        harness.prompt.cursor_blink = False
        await harness.until(lambda: isinstance(harness.app.screen, ChatScreen))
        yield harness


@SIZES
async def test_an_empty_conversation(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(), size) as harness:
        await assert_snapshot(harness, "empty")


@SIZES
async def test_a_reply_in_the_making(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(Script(is_gated=True)), size) as harness:
        await harness.say("Tell me a little story.")
        harness.backend.conversation.let(ROUNDS)
        await harness.until(
            lambda: harness.chat.view.figures.reply.rounds == ROUNDS - 1
        )  # the first comes out of the prompt
        await assert_snapshot(harness, "replying")


@SIZES
async def test_a_finished_reply(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(), size) as harness:
        await harness.ask()
        await harness.until(lambda: "in context" in harness.picture())
        await assert_snapshot(harness, "finished")


@SIZES
async def test_help(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(), size) as harness:
        await harness.pilot.press("f1")
        await assert_snapshot(harness, "help")


@SIZES
async def test_settings(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(), size) as harness:
        await harness.pilot.press("f2")
        await assert_snapshot(harness, "settings")


@SIZES
async def test_the_start_of_a_race(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(), size) as harness:
        await harness.pilot.press("f8")
        await harness.until(lambda: "Count from 1 to 40." in harness.picture())
        await assert_snapshot(harness, "race")


@SIZES
async def test_the_conversations_beside_the_chat(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(), size) as harness:
        await harness.ask("Count from 1 to 40.")
        await harness.pilot.press("ctrl+n")
        await harness.ask()
        await harness.pilot.press("f9")
        await harness.until(lambda: harness.picture().count("2 messages") == 2)
        await harness.pilot.press("down")
        await harness.until(lambda: "r rename" in harness.picture())
        await assert_snapshot(harness, "conversations")


@SIZES
async def test_the_settings_of_a_conversation(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(), size) as harness:
        await harness.pilot.press("f10")
        # With the keys below, of which none works under the dialog.
        await harness.until(lambda: "all defaults" in harness.picture() and "F9 Chats" not in harness.picture())
        await assert_snapshot(harness, "conversation-settings")


@SIZES
async def test_where_tokens_came_from(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(), size) as harness:
        await harness.ask()
        await harness.until(lambda: "in context" in harness.picture())
        await harness.pilot.press("ctrl+g", "alt+end")
        await harness.until(lambda: "drafted and accepted" in harness.picture())
        await assert_snapshot(harness, "origins")


@SIZES
async def test_models(size: tuple[int, int]) -> None:
    desk = FakeBackend()
    desk.models = FakeModels()
    async with at_rest(desk, size) as harness:
        await harness.pilot.press("f7")
        await harness.until(lambda: "never" in harness.picture())
        await harness.pilot.press("2")  # the catalogue: what is here has been used so and so many months ago
        await harness.until(lambda: "not downloaded" in harness.picture())
        await assert_snapshot(harness, "models")


@SIZES
async def test_the_end_of_a_race(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(bench=BenchScript()), size) as harness:
        await harness.pilot.press("f8")
        await harness.until(lambda: isinstance(harness.app.screen, BenchScreen))
        await race(harness)
        await assert_snapshot(harness, "race-result")


@SIZES
async def test_the_table_of_a_suite(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(bench=BenchScript()), size) as harness:
        await harness.pilot.press("f8")
        await harness.until(lambda: isinstance(harness.app.screen, BenchScreen))
        await run_suite(harness)
        await assert_snapshot(harness, "suite")
