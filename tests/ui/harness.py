"""A running desk for the Pilot tests, and a patient way to look at it."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from textual.pilot import Pilot

from sparkdesk.ui.app import SparkDeskApp
from sparkdesk.ui.chat.screen import ChatScreen
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.widgets.loading_view import LoadingView
from sparkdesk.ui.chat.widgets.message_list import MessageList
from sparkdesk.ui.chat.widgets.transcript import Transcript
from sparkdesk.ui.settings.preferences import Preferences
from sparkdesk.ui.shared.banner import Banner
from sparkdesk.ui.shared.prompt import Prompt
from tests.ui.fake_backend import FakeBackend

WIDE, NARROW = (140, 40), (80, 24)


@dataclass
class Harness:
    """Someone at the desk."""

    backend: FakeBackend
    app: SparkDeskApp
    pilot: Pilot[None]

    @property
    def chat(self) -> ChatScreen:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, ChatScreen)
        return screen

    @property
    def prompt(self) -> Prompt:
        return self.chat.query_one(Prompt)

    @property
    def transcript(self) -> Transcript:
        return self.chat.query_one(Transcript)

    @property
    def talk(self) -> MessageList:
        return self.chat.query_one(MessageList)

    @property
    def banner(self) -> str:
        banner = self.chat.query_one(Banner)
        return str(banner.content) if banner.display else ""

    def picture(self) -> str:
        """Every character on the screen, line by line."""
        lines = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in lines)

    async def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        """Wait for something that a worker brings about."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain; on the screen is:\n{self.picture()}"
            await self.pilot.pause(0.01)
        await self.pilot.pause()

    async def say(self, text: str) -> None:
        self.prompt.show(text)
        await self.pilot.press("enter")
        await self.pilot.pause()

    async def ask(self, text: str = "Tell me a little story.") -> None:
        """Send, and wait for the whole reply."""
        await self.say(text)
        await self.until(lambda: self.chat.stage is not Stage.REPLYING)


@pytest.fixture(autouse=True)
def _no_blink_no_colour_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")


@asynccontextmanager
async def app_at(
    desk: FakeBackend | None = None,
    *,
    size: tuple[int, int] = WIDE,
    keymap: Mapping[str, str] | None = None,
    preferences: Preferences | None = None,
    notifications: bool = False,
) -> AsyncIterator[Harness]:
    """The desk while it is opening."""
    desk = desk or FakeBackend()
    app = SparkDeskApp(desk, preferences)
    app.set_keymap(keymap or {})
    async with app.run_test(size=size, notifications=notifications) as pilot:
        yield Harness(desk, app, pilot)


@asynccontextmanager
async def open_app(
    desk: FakeBackend | None = None,
    *,
    size: tuple[int, int] = WIDE,
    keymap: Mapping[str, str] | None = None,
    preferences: Preferences | None = None,
    notifications: bool = False,
) -> AsyncIterator[Harness]:
    """The desk once its model is loaded."""
    opening = app_at(desk, size=size, keymap=keymap, preferences=preferences, notifications=notifications)
    async with opening as harness:
        # A key pressed while the view is exchanged would be waited for at a widget that is on its way out.
        await harness.until(lambda: harness.chat.stage is Stage.READY and not harness.chat.query(LoadingView))
        yield harness
