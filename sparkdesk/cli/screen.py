"""Opens the full screen on a pair; the only place of the command line that knows of it."""

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from sparkdesk.cli.console import say
from sparkdesk.config.settings import Settings
from sparkdesk.error_log import NAME
from sparkdesk.errors import PairMismatch, UsageError
from sparkdesk.loading.choice import ChosenPair, chosen_pair
from sparkdesk.safe_text import safe_text

DEFECT = 70  # EX_SOFTWARE of sysexits.h

if TYPE_CHECKING:
    from sparkdesk.ui.protocol import Backend


def run(options: Namespace) -> int:
    """`sparkdesk` without a command."""
    return open_screen(chosen_pair(options.target, options.draft, options.pair, options.drafter), options)


def open_screen(pair: ChosenPair, options: Namespace) -> int:
    check_terminal()
    _check_draft(options)
    from sparkdesk.backend.local import LocalBackend
    from sparkdesk.backend.shared_engine import SharedEngine
    from sparkdesk.cli import generation_args
    from sparkdesk.config.paths import user_paths
    from sparkdesk.runner.client import EngineClient

    settings = generation_args.settings_file()
    paths = user_paths()
    client = EngineClient(machine_file=paths.machine_file, tuner_folder=paths.learned)
    backend = LocalBackend(
        pair,
        SharedEngine(client),
        how=lambda: generation_args.loading(options, generation_args.settings_file()),
        chat=generation_args.chat_settings(options, settings),
        history_file=paths.history_file if settings.history else None,
        continues=options.continues,
    )
    with client:
        return show(backend, options, settings)


def show(backend: "Backend", options: Namespace, settings: Settings) -> int:
    """The whole screen, until the user leaves; returns the exit code."""
    from sparkdesk.cli import generation_args
    from sparkdesk.config.paths import user_paths
    from sparkdesk.ui.app import SparkDeskApp
    from sparkdesk.ui.appearance import dress
    from sparkdesk.ui.failure import Draft, Failure
    from sparkdesk.ui.settings.preferences import Preferences
    from sparkdesk.ui.supervisor import run_screen
    from sparkdesk.ui.termination import Termination

    paths = user_paths()
    draft = Draft(attachments=generation_args.attachments(options))

    def make_app(after: Failure | None, is_new: bool) -> SparkDeskApp:
        preferences = Preferences(paths.settings_file, generation_args.instead_of_settings(options))
        app = SparkDeskApp(backend, preferences, draft=draft, after=after, is_new=is_new)
        dress(app, settings if after is None else generation_args.settings_file())
        return app

    with Termination(backend.close) as termination:
        failure = run_screen(backend, make_app, logs=paths.logs, termination=termination)
    if failure is None:
        return termination.exit_code
    say(f"sparkdesk: The screen ended by an unexpected error, {failure.place}. This is a bug in SparkDesk.")
    say(f"  Where it happened is recorded in {paths.logs / NAME}; please report it.")
    if failure.draft.text.strip():
        say(f"  Your unsent draft:\n{safe_text(failure.draft.text)}")
    return DEFECT


def _check_draft(options: Namespace) -> None:
    """Before minutes of loading, and where the whole sentence can be read. Raises PairMismatch, ModelLoadError."""
    target, draft = getattr(options, "target", None), getattr(options, "draft", None)
    if target and draft and not getattr(options, "no_spec", False):
        from sparkdesk.gguf.pairing import header_problem
        from sparkdesk.gguf.parts import glance_model

        problem = header_problem(glance_model(Path(target)), glance_model(Path(draft)))
        if problem:
            raise PairMismatch(problem, "Without --draft the target runs alone.")


def check_terminal() -> None:
    is_able = os.environ.get("TERM") != "dumb"
    if not (is_able and sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "The screen needs a terminal, and this is not one"
            + ("." if is_able else " that can be drawn on (TERM=dumb)."),
            'For one answer without a screen, give --prompt "..." to sparkdesk demo or sparkdesk chat.',
        )
