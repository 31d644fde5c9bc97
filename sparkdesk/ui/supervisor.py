"""Runs the screen until the user leaves; after an error no one expected, the user says whether and how to go on."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from sparkdesk.error_log import stacks, write_log
from sparkdesk.local_path import home_folder
from sparkdesk.ui.app import SparkDeskApp
from sparkdesk.ui.failure import Failure
from sparkdesk.ui.protocol import Backend
from sparkdesk.ui.recovery import RecoveryApp, Way
from sparkdesk.ui.session_log import report
from sparkdesk.ui.termination import Termination

MakeApp = Callable[[Failure | None, bool], SparkDeskApp]
"""Given the failure of the screen before, if there was one, and whether to begin another conversation."""


def run_screen(backend: Backend, make_app: MakeApp, *, logs: Path, termination: Termination) -> Failure | None:
    """Leaves the backend closed. The failure after which the user left is returned; None for an ordinary end.

    `logs` is the folder where the stacks of failures are written. `termination` has asked for the end where its exit
    code is not 0.
    """
    threading.excepthook = lambda failed: _note_thread(failed, logs)  # its own would write over the screen
    failure: Failure | None = None
    is_new, places = False, set[str]()
    with ExitStack() as at_the_end:
        at_the_end.callback(backend.close)
        while True:
            app = make_app(failure, is_new)
            termination.is_for(app)
            app.run()
            failure = app.failure
            if failure is None:
                at_the_end.pop_all()  # it was closed with the screen
                return None
            way = _ask(failure, backend, logs, termination, is_repeated=failure.place in places)
            places.add(failure.place)
            if way is Way.LEAVE or termination.exit_code:
                return failure
            is_new = way is Way.NEW_CHAT


def _ask(failure: Failure, backend: Backend, logs: Path, termination: Termination, *, is_repeated: bool) -> Way:
    log = _written(failure.error, logs)
    home = home_folder()
    where = stacks(failure.error).replace(f"{home}/", "~/")
    told = report(failure.noted, model=backend.model, engine_words=backend.engine_words, home=home)
    told = f"{told}\n\nWhere the error happened\n{where}"
    app = RecoveryApp(failure, log=log, report=told, is_repeated=is_repeated)
    termination.is_for(app)
    return app.run() or Way.LEAVE


def _written(error: BaseException, logs: Path) -> Path | None:
    try:
        return write_log(error, logs)
    except OSError:
        return None


def _note_thread(failed: threading.ExceptHookArgs, logs: Path) -> None:
    if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
        _written(failed.exc_value, logs)
