"""The screens one can go to from anywhere: one line each makes its key and its entry in the palette.

To add one, write a function that imports the screen and makes it, and a line in ROUTES. What imports a screen here runs
when it is first opened, not before the first paint. A screen that stays keeps its state and its workers while it is out
of sight, so that a download or a measurement goes on; Esc (action `app.go_back`) returns to the chat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from textual.binding import Binding

if TYPE_CHECKING:
    from textual.screen import Screen

    from sparkdesk.ui.protocol import Backend
    from sparkdesk.ui.settings.preferences import Preferences


class RouteContext(Protocol):
    """What the screens are made of: the app has it."""

    @property
    def backend(self) -> Backend: ...

    @property
    def preferences(self) -> Preferences: ...

    @property
    def screen(self) -> Screen[object]:
        """The one in front."""
        ...

    def report(self) -> str:
        """For a bug report."""
        ...


@dataclass(frozen=True, slots=True)
class Route:
    name: str
    key: str
    title: str
    """One word: the footer is short."""
    summary: str
    make: Callable[[RouteContext], Screen[Any]]
    stays: bool = True
    """Whether the screen is made once and kept, or made anew each time."""
    is_in_bar: bool = True
    """Whether the line of keys at the bottom shows it."""

    @property
    def binding(self) -> Binding:
        # With priority: the prompt, being a text area, would take F7 for itself.
        action = f"open_screen({self.name!r})"
        key_id = f"desk.{self.name}"
        return Binding(
            self.key, action, self.title, show=self.is_in_bar, tooltip=self.summary, priority=True, id=key_id
        )


def _help(context: RouteContext) -> Screen[Any]:
    from sparkdesk.ui.help import HelpScreen

    return HelpScreen(context.screen.active_bindings.values())


def _settings(context: RouteContext) -> Screen[Any]:
    from sparkdesk.ui.settings.screen import SettingsScreen

    return SettingsScreen(context.preferences)


def _bench(context: RouteContext) -> Screen[Any]:
    from sparkdesk.ui.bench.screen import BenchScreen

    return BenchScreen(context.backend)


def _models(context: RouteContext) -> Screen[Any]:
    from sparkdesk.ui.models.screen import ModelsScreen

    return ModelsScreen(context.backend.models)


def _log(context: RouteContext) -> Screen[Any]:
    from sparkdesk.ui.log import LogScreen

    return LogScreen(context.report)


def _switch(context: RouteContext) -> Screen[Any]:
    from sparkdesk.ui.switch_model import SwitchModelScreen

    return SwitchModelScreen(context.backend.models)


ROUTES = (
    Route("help", "f1", "Help", "Show all keys", _help, stays=False),
    Route("settings", "f2", "Settings", "Change settings and keys", _settings, stays=False),
    Route("models", "f7", "Models", "What is on this machine, what can be had, and getting it", _models),
    Route("bench", "f8", "Bench", "Race plain decoding against speculation, and measure", _bench),
    Route("switch", "alt+m", "Switch model", "Load another model; the conversation goes on", _switch, False, False),
    Route("log", "ctrl+l", "Log", "What happened and what the engine said, for a bug report", _log, False, False),
)


def route(name: str) -> Route:
    return next(each for each in ROUTES if each.name == name)
