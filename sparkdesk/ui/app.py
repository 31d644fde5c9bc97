"""The desk's application: composes and routes only. What happens on a screen is that screen's business."""

import asyncio
import gc
import os
from collections.abc import Iterable
from typing import Any, ClassVar

from textual import on
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from sparkdesk.ui import commands, messages, themes
from sparkdesk.ui.desk import Desk
from sparkdesk.ui.screens.chat import ChatScreen

EXIT_AFTER_FIRST_PAINT = "SPARKDESK_EXIT_AFTER_FIRST_PAINT"
"""Set by the start-up benchmark: the program ends where a user would begin to look."""


class SparkDeskApp(App[None]):
    TITLE = "SparkDesk"
    CSS_PATH = "desk.tcss"
    # Textual declares these as instance variables, so ClassVar would be refused.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-middling"), (40, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help", tooltip="Show all keys"),
        Binding("ctrl+q", "quit", "Quit", tooltip="Stop everything and leave", priority=True),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._is_closed = False
        for theme in (themes.DARK, themes.LIGHT):
            self.register_theme(theme)
        self.theme = themes.DARK.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.FOREIGN

    def get_default_screen(self) -> Screen[None]:
        return ChatScreen(self._desk)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        return commands.of_screen(screen)

    @on(messages.Painted)
    async def begin(self) -> None:
        if os.environ.get(EXIT_AFTER_FIRST_PAINT):
            self.exit()
        elif isinstance(self.screen, ChatScreen):
            _collect_garbage_rarely()
            await self.screen.start()

    def action_help(self) -> None:
        from sparkdesk.ui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen.active_bindings.values()))

    async def action_quit(self) -> None:
        await self._close_desk()
        self.exit()

    async def on_unmount(self) -> None:
        await self._close_desk()

    async def _close_desk(self) -> None:
        """Ends an opening or a reply in another thread too; without that, leaving would wait for it."""
        if not self._is_closed:
            self._is_closed = True
            await asyncio.to_thread(self._desk.close)


def _collect_garbage_rarely() -> None:
    """Drawing makes so many short-lived objects that Python looks through everything there is several times a second,
    and keys wait for that. What is there at the start stays to the end, so it need not be looked through at all."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
