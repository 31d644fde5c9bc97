"""What the system said of a file or a folder, where nobody nearer had a sentence for it: a home that cannot be used."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from sparkdesk.cli.console import say_error
from sparkdesk.config.paths import HOME_VARIABLE, user_paths
from sparkdesk.errors import DataError, SparkDeskError, UsageError


def explained(error: OSError) -> int:
    """Says it in one sentence; returns the exit code: 2 where it is about settings, 3 about data."""
    reason = error.strerror or type(error).__name__
    if error.filename is None:
        _forget_stdout()  # or Python complains once more at the end
        return _said(DataError(f"Nothing more can be written or read: {reason}.", "Is a disk full?"))
    path = Path(os.fsdecode(error.filename))
    kind = UsageError if path.is_relative_to(user_paths().config) else DataError
    return _said(
        kind(f"{path} cannot be used: {reason}.", f"See: sparkdesk doctor. {HOME_VARIABLE} names another place.")
    )


def _said(error: SparkDeskError) -> int:
    say_error(error)
    return error.exit_code


def _forget_stdout() -> None:
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
