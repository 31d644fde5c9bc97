"""The application: composes and routes only. What happens on a screen is that screen's business."""

import asyncio
import gc
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from rich.console import RenderableType
from textual import events, on
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import Input, TextArea

from sparkdesk.config.paths import user_paths
from sparkdesk.errors import SparkDeskError
from sparkdesk.local_path import home_folder
from sparkdesk.safe_text import safe_line, safe_text
from sparkdesk.ui import commands, messages, themes
from sparkdesk.ui.chat.screen import ChatScreen
from sparkdesk.ui.failure import Draft, Failure, failure_of, restore_draft
from sparkdesk.ui.protocol import Backend
from sparkdesk.ui.routes import ROUTES, Route, route
from sparkdesk.ui.session_log import Noted, now, report
from sparkdesk.ui.settings.preferences import Preferences
from sparkdesk.ui.shared.control_filter import ControlFilter
from sparkdesk.ui.too_small import TooSmallScreen, is_too_small

EXIT_AFTER_FIRST_PAINT = "SPARKDESK_EXIT_AFTER_FIRST_PAINT"
"""Set by the start-up benchmark: the program ends where a user would begin to look."""


class SparkDeskApp(App[None]):
    TITLE = "SparkDesk"
    CSS_PATH = ["app.tcss", "chat/chat.tcss"]  # noqa: RUF012  Textual declares it so
    # Textual declares these as instance variables, so ClassVar would be refused.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-middling"), (40, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        *(each.binding for each in ROUTES),
        Binding(
            "ctrl+p",
            "command_palette",
            "Palette",
            show=False,
            priority=True,
            tooltip="Find what can be done by its name",
            id="desk.palette",
        ),
        Binding(
            "ctrl+b",
            "continue_last",
            "Continue last chat",
            show=False,
            priority=True,
            tooltip="Open the chat that was active last",
            id="desk.continue_last",
        ),
        Binding("ctrl+q", "ask_to_quit", "Quit", tooltip="Stop everything and leave", priority=True, id="desk.quit"),
    ]

    def __init__(
        self,
        backend: Backend,
        preferences: Preferences | None = None,
        *,
        draft: Draft | None = None,
        after: Failure | None = None,
        is_new: bool = False,
    ) -> None:
        """`draft` stands at the prompt at first. `after` is the failure of the screen before this one, whose draft
        comes back; `is_new` begins another conversation then."""
        super().__init__()
        self.backend = backend
        self.failure: Failure | None = None
        """Why the screen ended, when no one wanted it to. The backend is still open then."""
        self._draft, self._after, self._is_new = draft or Draft(), after, is_new
        self.preferences = preferences or Preferences(user_paths().settings_file)
        self._is_closed = self._is_leaving = False
        self._noted: list[Noted] = list(after.noted) if after else []
        self._control_filter = ControlFilter()
        self._routed: dict[str, Screen[Any]] = {}
        """What was opened last under each name of the table."""
        for theme in (themes.DARK, themes.LIGHT):
            self.register_theme(theme)
        self.theme = themes.DARK.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.FOREIGN

    def get_default_screen(self) -> Screen[None]:
        return ChatScreen(self.backend)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        return commands.of_screen(screen)

    def get_line_filters(self) -> Sequence[LineFilter]:
        return (*super().get_line_filters(), self._control_filter)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """As text: errors and names may come from a server or a file."""
        super().notify(safe_text(message), title=safe_line(title), severity=severity, timeout=timeout, markup=markup)

    @property
    def chat(self) -> ChatScreen:
        """Below everything."""
        screen = self.screen_stack[0]
        assert isinstance(screen, ChatScreen)
        return screen

    @on(messages.Painted)
    async def begin(self) -> None:
        if os.environ.get(EXIT_AFTER_FIRST_PAINT):
            self.exit()
        else:
            _collect_garbage_rarely()
            await self._start()

    async def _start(self) -> None:
        if self._is_new:
            await asyncio.to_thread(self.backend.start_conversation)
        restore_draft(self.chat, self._draft if self._after is None else self._after.draft)
        await self.chat.loader.load()

    async def on_event(self, event: events.Event) -> None:
        # A terminal sends Alt+T as Esc and t, and Textual leaves the "t" in: text fields would write it.
        if isinstance(event, events.Key) and event.key.startswith("alt+"):
            event.character = None
        await super().on_event(event)

    def on_resize(self, event: events.Resize) -> None:
        is_shown = isinstance(self.screen, TooSmallScreen)
        if is_too_small(event.size) and not is_shown:
            self.push_screen(TooSmallScreen())
        elif is_shown and not is_too_small(event.size):
            self.pop_screen()

    @on(messages.Noted)
    def note(self, message: messages.Noted) -> None:
        self._noted.append(now(message.text))

    def report(self) -> str:
        """For the log screen."""
        return report(self._noted, model=self.backend.model, engine_words=self.backend.engine_words, home=home_folder())

    @on(events.DescendantFocus)
    def keep_still(self, event: events.DescendantFocus) -> None:
        """Who wants no movement wants no blinking cursor either."""
        if isinstance(event.widget, Input | TextArea):
            event.widget.cursor_blink = self.animation_level != "none"

    def action_change_theme(self) -> None:
        """A theme that was chosen is the user's from then on."""
        from sparkdesk.ui.settings.themes_dialog import ThemesScreen

        self.push_screen(ThemesScreen(), self._keep_theme)

    def _keep_theme(self, name: str | None) -> None:
        if name is not None:
            try:
                self.preferences.change_theme(name)
            except SparkDeskError as error:
                self.notify(f"{error} The colours hold until the end.", severity="warning")

    @on(messages.PairChosen)
    async def chat_with(self, message: messages.PairChosen) -> None:
        await self.action_go_back()
        await self.chat.conversations.switch_model(message.name)

    @on(messages.RaceRequested)
    async def race(self, message: messages.RaceRequested) -> None:
        from sparkdesk.ui.bench.screen import BenchScreen

        await self.action_open_screen("bench")
        if isinstance(self.screen, BenchScreen):
            self.screen.call_later(self.screen.race, message.text)  # once it is composed

    @on(messages.JobReported)
    def tell_chat_of_work(self, message: messages.JobReported) -> None:
        if self.screen_stack:  # a job goes on until the app is closed, and may still report then
            self.chat.view.job = message.text

    async def action_continue_last(self) -> None:
        """As `--continue` does at the start."""
        await self.action_go_back()
        try:
            newest = await asyncio.to_thread(self.backend.history.newest, 2)
        except SparkDeskError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        keys = [each.key for each in newest if each.key != self.backend.conversation.key]
        if keys:
            await self.chat.conversations.open(keys[0])
        else:
            self.notify("There is no earlier chat.", severity="warning")

    async def action_open_screen(self, name: str) -> None:
        """Go to a screen of the table, or back when it is the one in front. What is modal lies over the screen it is
        about; the others lie over the chat."""
        is_in_front = self._routed.get(name) is self.screen
        screen = self.screen if is_in_front else self._screen_of(route(name))
        with self.batch_update():
            if not screen.is_modal:
                await self.action_go_back()
            elif is_in_front:
                await self.pop_screen()
            if not is_in_front:
                await self.push_screen(screen)

    async def action_go_back(self) -> None:
        """To the chat, which is below everything."""
        while len(self.screen_stack) > 1:
            await self.pop_screen()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action != "open_screen" or not self.screen.is_modal:
            return True
        return self._routed.get(str(parameters[0])) is self.screen  # what else asks in front waits for its answer

    def _screen_of(self, chosen: Route) -> Screen[Any]:
        screen = self._routed.get(chosen.name)
        if screen is None or not chosen.stays:
            screen = self._routed[chosen.name] = chosen.make(self)
            if chosen.stays:
                self.install_screen(screen, chosen.name)
        return screen

    # What no one expected

    def _fatal_error(self) -> None:
        """Textual would print a stack with the values of all variables, and so the conversation. Called by its
        `_handle_exception`, which takes whatever is raised in a handler, a worker, a timer or while drawing."""
        self._fail()

    def panic(self, *renderables: RenderableType) -> None:
        self._fail()

    def _fail(self) -> None:
        if self.failure is None and self._exception is not None and not self._is_leaving:
            self.failure = failure_of(self._exception, self.screen_stack, self._noted)
            with suppress(Exception):  # or leaving this screen would wait for a reply to its end
                self.backend.conversation.stop()
        self._close_messages_no_wait()

    async def action_ask_to_quit(self) -> None:
        """Asks first where the conversation could not be kept; a second time leaves without it."""
        from sparkdesk.ui.chat.dialogs.leaving import LeavingScreen

        reason = self.chat.conversations.lost_by_leaving()
        if reason and not isinstance(self.screen, LeavingScreen):
            await self.push_screen(LeavingScreen(reason), self._leave_or_export)
        else:
            await self.action_quit()

    async def _leave_or_export(self, choice: str | None) -> None:
        from sparkdesk.ui.chat.dialogs.leaving import EXPORT, LEAVE

        if choice == LEAVE:
            await self.action_quit()
        elif choice == EXPORT:
            self.chat.conversations.export()

    async def action_quit(self) -> None:
        """Without a question, as signals want it."""
        self._is_leaving = True  # what fails from here on, as what is mounted too late, stops nobody
        await self._close_backend()
        self.exit()

    async def on_unmount(self) -> None:
        if self.failure is None:
            await self._close_backend()

    async def _close_backend(self) -> None:
        """Ends a loading or a reply in another thread too; without that, leaving would wait for it."""
        if not self._is_closed:
            self._is_closed = True
            await asyncio.to_thread(self.backend.close)


def _collect_garbage_rarely() -> None:
    """Drawing makes so many short-lived objects that Python looks through everything there is several times a second,
    and keys wait for that. What is there at the start stays to the end, so it need not be looked through at all."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
