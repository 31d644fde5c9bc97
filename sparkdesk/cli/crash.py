"""The last resort: an error nobody expected becomes one line for the user and a stack in the log folder.

The log keeps where it happened and the error's class, not its text: that could hold part of a conversation.
"""

import platform
import time
import traceback
from pathlib import Path

from sparkdesk import __version__
from sparkdesk.cli.console import say
from sparkdesk.config.paths import user_paths

EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h
_LOG_NAME = "errors.log"
_MAX_LOG_BYTES = 1_000_000


def report_crash(error: Exception) -> int:
    say(f"sparkdesk: This should not have happened: {type(error).__name__}: {error}")
    try:
        say(f"  Where it happened is written in {write_log(error, user_paths().logs)}; please report it.")
    except OSError as failure:
        say(f"  It could not be written to the log ({failure}).")
    return EXIT_CODE


def write_log(error: Exception, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _LOG_NAME
    is_full = path.exists() and path.stat().st_size > _MAX_LOG_BYTES
    with path.open("w" if is_full else "a", encoding="utf-8") as file:
        file.write(_entry(error))
    return path


def _entry(error: Exception) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S")
    where = "".join(traceback.format_tb(error.__traceback__))
    what = f"sparkdesk {__version__} Python {platform.python_version()} {platform.platform()}"
    return f"{when} {what}\n{where}{type(error).__name__}\n\n"
