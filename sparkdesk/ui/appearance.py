"""What the settings say about the screen itself: theme, keys, figures and movement, checked before it is put on."""

from typing import Any

from textual import constants
from textual.app import App
from textual.theme import BUILTIN_THEMES

from sparkdesk.config.settings import Settings
from sparkdesk.errors import UsageError
from sparkdesk.ui import keys, themes

NO_LIVE = "-no-live"
"""The app's class where the live figures are hidden."""


def check(app: App[Any], settings: Settings) -> dict[str, str]:
    """The keys that the settings amount to. Raises UsageError for what the screen cannot do."""
    if settings.theme and settings.theme not in app.available_themes:
        known = ", ".join(sorted(app.available_themes))
        raise UsageError(
            f"The settings file asks for the theme {settings.theme!r}, which there is not.", f"There are {known}."
        )
    return keys.checked(settings.keys, keys.everything()) if settings.keys else {}


def settings_problem(settings: Settings) -> str:
    """What of the settings the screen would refuse, said without a screen; empty where it takes them all."""
    known = {*BUILTIN_THEMES, themes.DARK.name, themes.LIGHT.name}
    if settings.theme and settings.theme not in known:
        return f"there is no theme {settings.theme!r}; there are {', '.join(sorted(known))}"
    try:
        keys.checked(settings.keys, keys.everything())
    except UsageError as error:
        return error.message
    return ""


def dress(app: App[Any], settings: Settings) -> None:
    """At the start, and again whenever a setting changed. Raises UsageError, and leaves the screen as it was."""
    keymap = check(app, settings)
    app.theme = settings.theme or themes.DARK.name
    app.set_keymap(keymap)
    app.set_class(not settings.live_figures, NO_LIVE)
    app.animation_level = constants.TEXTUAL_ANIMATIONS if settings.animations else "none"
