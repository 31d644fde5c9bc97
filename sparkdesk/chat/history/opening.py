"""Opens the history, and finds a way to go on where that fails: the desk works without one."""

from pathlib import Path

from sparkdesk.chat.history.memory import MemoryHistory
from sparkdesk.chat.history.schema import DamagedHistory, set_aside
from sparkdesk.chat.history.sqlite import SqliteHistory
from sparkdesk.errors import HistoryError

AnyHistory = MemoryHistory | SqliteHistory


def open_history(path: Path) -> tuple[AnyHistory, str]:
    """The history, and what the user should know; nothing, most of the time."""
    try:
        try:
            return SqliteHistory(path), ""
        except DamagedHistory as error:
            aside = set_aside(path)
            return SqliteHistory(path), f"{error.message} It was renamed to {aside.name}, and a new history begun."
    except HistoryError as error:
        return MemoryHistory(), str(error)
    except OSError as error:
        return (
            MemoryHistory(),
            f"{path} is damaged and cannot be renamed: {error.strerror}. Conversations are not kept.",
        )
