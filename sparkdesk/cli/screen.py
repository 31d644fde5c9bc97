"""Opens the full screen on a pair; the only place of the command line that knows of it."""

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from sparkdesk.cli.pairs import ChosenPair, chosen_pair
from sparkdesk.errors import UsageError
from sparkdesk.settings import Settings

if TYPE_CHECKING:
    from sparkdesk.ui.app import SparkDeskApp


def run(options: Namespace) -> int:
    """`sparkdesk` without a command."""
    return open_screen(chosen_pair(options.target, options.draft, options.pair), options)


def open_screen(pair: ChosenPair, options: Namespace) -> int:
    check_terminal()
    from sparkdesk.cli import speaking
    from sparkdesk.cli.desk import PairDesk
    from sparkdesk.paths import user_paths
    from sparkdesk.runner.client import EngineClient
    from sparkdesk.ui.app import SparkDeskApp

    settings = speaking.settings_file()
    chat = speaking.chat_settings(options, settings)
    paths = user_paths()
    engine = EngineClient(machine_file=paths.machine_file, learnt_folder=paths.learnt)
    history_file = paths.history_file if settings.history else None
    desk = PairDesk(pair, engine, how=speaking.loading(options, settings), chat=chat, history_file=history_file)
    app = SparkDeskApp(desk)
    _dress(app, settings)
    with engine:
        app.run()
    return app.return_code or 0


def check_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "The screen needs a terminal, and this is not one.",
            'For one answer without a screen, give --prompt "..." to sparkdesk demo or sparkdesk chat.',
        )


def _dress(app: "SparkDeskApp", settings: Settings) -> None:
    if settings.keys:
        from sparkdesk.ui import keys

        app.set_keymap(keys.checked(settings.keys, keys.everything()))
    if settings.theme:
        if settings.theme not in app.available_themes:
            known = ", ".join(sorted(app.available_themes))
            raise UsageError(f"The settings file asks for the theme {settings.theme!r}, which there is not.", known)
        app.theme = settings.theme
