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
from tests.ui.fake_shelf import FakeShelf
from tests.ui.sitting import Sitting, at_open_desk
from tests.ui.snapshot import assert_snapshot

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])
ROUNDS = 12


@asynccontextmanager
async def at_rest(desk: FakeBackend, size: tuple[int, int]) -> AsyncIterator[Sitting]:
    """Nothing moves, and no path of this machine is on the screen."""
    async with at_open_desk(desk, size=size, preferences=Preferences(Path("settings.toml"))) as sitting:
        sitting.app.animation_level = "none"
        sitting.prompt.cursor_blink = False
        await sitting.until(lambda: isinstance(sitting.app.screen, ChatScreen))
        yield sitting


@SIZES
async def test_an_empty_conversation(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(), size) as sitting:
        await assert_snapshot(sitting, "empty")


@SIZES
async def test_a_reply_in_the_making(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(Script(is_gated=True)), size) as sitting:
        await sitting.say("Tell me a little story.")
        sitting.backend.conversation.let(ROUNDS)
        await sitting.until(
            lambda: sitting.chat.view.figures.reply.rounds == ROUNDS - 1
        )  # the first comes out of the prompt
        await assert_snapshot(sitting, "replying")


@SIZES
async def test_a_finished_reply(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(), size) as sitting:
        await sitting.ask()
        await sitting.until(lambda: "in context" in sitting.picture())
        await assert_snapshot(sitting, "finished")


@SIZES
async def test_help(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(), size) as sitting:
        await sitting.pilot.press("f1")
        await assert_snapshot(sitting, "help")


@SIZES
async def test_settings(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(), size) as sitting:
        await sitting.pilot.press("f2")
        await assert_snapshot(sitting, "settings")


@SIZES
async def test_the_start_of_a_race(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(), size) as sitting:
        await sitting.pilot.press("f8")
        await sitting.until(lambda: "Count from 1 to 40." in sitting.picture())
        await assert_snapshot(sitting, "race")


@SIZES
async def test_the_conversations_beside_the_chat(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(), size) as sitting:
        await sitting.ask("Count from 1 to 40.")
        await sitting.pilot.press("ctrl+n")
        await sitting.ask()
        await sitting.pilot.press("f9")
        await sitting.until(lambda: sitting.picture().count("2 messages") == 2)
        await sitting.pilot.press("down")
        await sitting.until(lambda: "r rename" in sitting.picture())
        await assert_snapshot(sitting, "conversations")


@SIZES
async def test_the_settings_of_a_conversation(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(), size) as sitting:
        await sitting.pilot.press("f10")
        # With the keys below, of which none works under the dialog.
        await sitting.until(lambda: "all defaults" in sitting.picture() and "F9 Chats" not in sitting.picture())
        await assert_snapshot(sitting, "conversation-settings")


@SIZES
async def test_where_tokens_came_from(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(), size) as sitting:
        await sitting.ask()
        await sitting.until(lambda: "in context" in sitting.picture())
        await sitting.pilot.press("ctrl+g", "alt+end")
        await sitting.until(lambda: "drafted and accepted" in sitting.picture())
        await assert_snapshot(sitting, "origins")


@SIZES
async def test_models(size: tuple[int, int]) -> None:
    desk = FakeBackend()
    desk.models = FakeShelf()
    async with at_rest(desk, size) as sitting:
        await sitting.pilot.press("f7")
        await sitting.until(lambda: "never" in sitting.picture())
        await sitting.pilot.press("2")  # the catalogue: what is here has been used so and so many months ago
        await sitting.until(lambda: "not downloaded" in sitting.picture())
        await assert_snapshot(sitting, "models")


@SIZES
async def test_the_end_of_a_race(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(bench=BenchScript()), size) as sitting:
        await sitting.pilot.press("f8")
        await sitting.until(lambda: isinstance(sitting.app.screen, BenchScreen))
        await race(sitting)
        await assert_snapshot(sitting, "race-result")


@SIZES
async def test_the_table_of_a_suite(size: tuple[int, int]) -> None:
    async with at_rest(FakeBackend(bench=BenchScript()), size) as sitting:
        await sitting.pilot.press("f8")
        await sitting.until(lambda: isinstance(sitting.app.screen, BenchScreen))
        await run_suite(sitting)
        await assert_snapshot(sitting, "suite")
