"""The entries of the command palette: what the screen in front offers, its keys, and the way to every other screen.

A screen that can do more than its keys say has a method `commands`; see OffersCommands. Everything else follows from
the bindings and the routes, so that a key and its entry cannot differ.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Protocol, runtime_checkable

from textual.app import SystemCommand
from textual.screen import Screen

from sparkdesk.ui.routes import ROUTES


@runtime_checkable
class OffersCommands(Protocol):
    """A screen with entries of its own. One whose callback runs the action of a key stands in for that key."""

    def commands(self) -> Iterable[SystemCommand]: ...


def of_screen(screen: Screen[Any]) -> Iterator[SystemCommand]:
    app = screen.app
    own = list(screen.commands()) if isinstance(screen, OffersCommands) else []
    yield from own
    yield from _of_keys(screen, said={_action_of(command) for command in own})
    for each in ROUTES:
        yield SystemCommand(each.title, each.summary, partial(app.run_action, f"open_screen({each.name!r})"))
    yield SystemCommand(
        "Continue last chat", "Open the chat in which something was said last", partial(app.run_action, "continue_last")
    )
    yield SystemCommand("Theme", "Change the colours", app.action_change_theme)
    yield SystemCommand("Quit", "Stop everything and leave", partial(app.run_action, "app.ask_to_quit"))


def _of_keys(screen: Screen[Any], said: set[str]) -> Iterator[SystemCommand]:
    """The screen's own keys that can be used now, and those of the part that has the focus."""
    for node, binding, is_enabled, tooltip in screen.active_bindings.values():
        is_told = bool(tooltip and binding.description) and binding.action not in said
        if node is not screen.app and is_enabled and is_told:
            said.add(binding.action)
            yield SystemCommand(binding.description, tooltip, partial(screen.app.run_action, binding.action, node))


def _action_of(command: SystemCommand) -> str:
    """The action it runs by name; empty where it does something of its own."""
    callback = command.callback
    name = callback.args[0] if isinstance(callback, partial) and callback.args else ""
    return name if isinstance(name, str) else ""
