"""The history of a desk: on the disk where that can be had, and in memory as long as it cannot.

A history that another program holds, that a newer SparkDesk wrote, or whose disk is full is tried again until it takes
what was said meanwhile. `not_kept` says why it does not, for as long as it does not.
"""

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sparkdesk.chat.history.kept import Kept
from sparkdesk.chat.history.memory import MemoryHistory
from sparkdesk.chat.history.schema import REPAIR, DamagedHistory, set_aside
from sparkdesk.chat.history.sqlite import SqliteHistory
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.summary import Found, Summary
from sparkdesk.chat.tree import MessageTree
from sparkdesk.errors import HistoryError

AGAIN_SECONDS = 2.0
_FIRST_WAIT_S, _WAIT_S, _LAST_WAIT_S = 1.0, 0.2, 2.0


class PendingHistory:
    """Any thread; what was said is never refused. Other wishes raise HistoryError where the disk says no."""

    def __init__(self, path: Path, *, again_s: float = AGAIN_SECONDS) -> None:
        self._path = path
        self._again_s = again_s
        self._waiting = MemoryHistory(counts_down=True)
        """Conversations the disk could not take: by their number there, or by one below zero."""
        self._moved: dict[int, int] = {}
        """From numbers below zero to those on the disk."""
        self._split: dict[int, int] = {}
        """Where a conversation goes on that another desk changed meanwhile; asked by whoever keeps it next."""
        self._disk: SqliteHistory | None = None
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._retrying: threading.Thread | None = None
        self.not_kept = ""
        """A sentence for the screen as long as it holds; empty where everything is kept."""
        self.notice = ""
        """What the user should know of how it was opened."""
        self._open(wait_s=_FIRST_WAIT_S)

    @property
    def damaged(self) -> int:
        """Conversations that the last list had to leave out."""
        return self._disk.damaged if self._disk is not None else 0

    def keep(self, key: int | None, tree: MessageTree, settings: ChatSettings) -> int | None:
        with self._lock:
            key = self._split.pop(key, self._key(key)) if key is not None else None
            if self._disk is not None and not self._disk.not_kept and not self._waiting.has(key):
                try:
                    return self._disk.keep(key, tree, settings)
                except HistoryError as error:
                    self._note(error)
            return self._waiting.keep(key, tree, settings)

    def own_title(self, key: int | None) -> str:
        key = self._key(key) if key is not None else None
        if self._waiting.has(key):
            return self._waiting.own_title(key)
        return self._disk.own_title(key) if self._disk is not None else ""

    def read(self, key: int) -> Kept:
        with self._lock:
            key = self._key(key)
            return (self._waiting if self._waiting.has(key) else self._on_disk()).read(key)

    def newest(self, limit: int = 200) -> Sequence[Summary]:
        with self._lock:
            waiting = self._waiting.newest(limit)
            on_disk = self._disk.newest(limit) if self._disk is not None else ()
        known = {each.key for each in waiting}
        kept = [each for each in on_disk if each.key not in known]
        return tuple(sorted([*waiting, *kept], key=lambda each: each.changed_at, reverse=True)[:limit])

    def search(self, text: str, limit: int = 50) -> Sequence[Found]:
        with self._lock:
            waiting = self._waiting.search(text, limit)
            found = self._disk.search(text, limit) if self._disk is not None else ()
        known = {each.summary.key for each in waiting}
        return (*waiting, *(each for each in found if each.summary.key not in known))[:limit]

    def saved_ms(self) -> float:
        with self._lock:
            on_disk = self._disk.saved_ms() if self._disk is not None else 0.0
            return on_disk + self._waiting.saved_ms(new_only=True)

    def rename(self, key: int, title: str) -> None:
        with self._lock:
            key = self._key(key)
            (self._waiting if self._waiting.has(key) else self._on_disk()).rename(key, title)

    def delete(self, key: int) -> None:
        with self._lock:
            key = self._key(key)
            if key > 0:
                self._on_disk().delete(key)
            if self._waiting.has(key):
                self._waiting.delete(key)

    def undelete(self, key: int) -> None:
        with self._lock:
            key = self._key(key)
            if key > 0:
                self._on_disk().undelete(key)
            self._waiting.undelete(key)

    def export(self, key: int, form: str) -> str:
        with self._lock:
            key = self._key(key)
            return (self._waiting if self._waiting.has(key) else self._on_disk()).export(key, form)

    def try_again(self, *, wait_s: float = _WAIT_S) -> bool:
        """Whether everything is kept now."""
        with self._lock:
            if not self.not_kept:
                return True
            if self._disk is None or self._disk.not_kept:
                self._open(wait_s=wait_s)
            if self._disk is None or self._disk.not_kept:
                return False
            try:
                self._hand_over(self._disk)
            except HistoryError as error:
                self._note(error)
                return False
            self.not_kept = ""
            return True

    def close(self) -> None:
        """What waits is tried a last time; what was deleted is gone for good."""
        self._closed.set()
        self.try_again(wait_s=_LAST_WAIT_S)
        if self._disk is not None:
            self._disk.close()

    def _open(self, *, wait_s: float) -> None:
        try:
            disk = self._opened(wait_s)
        except HistoryError as error:
            self._note(error)
            return
        if self._disk is not None:
            self._disk.close()
        self._disk = disk
        if disk.not_kept:
            self._note(disk.not_kept)

    def _opened(self, wait_s: float) -> SqliteHistory:
        try:
            return SqliteHistory(self._path, wait_s=wait_s)
        except DamagedHistory as error:
            try:
                aside = set_aside(self._path)
            except OSError as failure:
                reason = f"{self._path} is damaged and cannot be renamed: {failure.strerror}."
                raise HistoryError(reason, "Conversations are not kept.") from failure
            self.notice = f"{error.message} It was renamed to {aside.name}, and a new history begun. {REPAIR}"
            return SqliteHistory(self._path, wait_s=wait_s)

    def _hand_over(self, disk: SqliteHistory) -> None:
        """Every conversation that waits; raises HistoryError, and those that were taken are not given twice."""
        for key, kept in self._waiting.entries():
            taken = disk.keep(key if key > 0 else None, kept.tree, kept.settings)
            if taken is not None:
                (self._moved if key < 0 else self._split)[key] = taken
                if kept.title:
                    disk.rename(taken, kept.title)
            self._waiting.forget(key)

    def _note(self, reason: HistoryError | str) -> None:
        """From now on until it works."""
        self.not_kept = str(reason)
        if self._retrying is None and not self._closed.is_set():
            self._retrying = threading.Thread(target=self._retry, name="history", daemon=True)
            self._retrying.start()

    def _retry(self) -> None:
        while not self._closed.wait(self._again_s):
            with self._lock, suppress(HistoryError):
                if self.try_again():
                    self._retrying = None
                    return

    def _key(self, key: int) -> int:
        """Where it is now."""
        return self._moved.get(key, key)

    def _on_disk(self) -> SqliteHistory:
        if self._disk is None:
            raise HistoryError(self.not_kept or f"{self._path} cannot be opened.")
        return self._disk


AnyHistory = MemoryHistory | PendingHistory
