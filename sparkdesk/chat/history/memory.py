"""A history that ends with the program: for whoever wants nothing kept, and where nothing can be."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sparkdesk.chat.history.export import exported
from sparkdesk.chat.history.kept import Kept, place_of, title_of
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.summary import Found, Summary
from sparkdesk.chat.tree import MessageTree
from sparkdesk.errors import HistoryError

GONE = "This conversation is no longer there."


@dataclass(slots=True)
class _Entry:
    kept: Kept
    changed_at: datetime
    is_deleted: bool = False


class MemoryHistory:
    not_kept = ""
    """Nothing is meant to last here."""
    damaged = 0
    notice = ""

    def __init__(self, *, counts_down: bool = False) -> None:
        """Its keys are 1, 2, 3 and so on; or -1, -2, -3, which no file has."""
        self._entries: dict[int, _Entry] = {}
        self._step = -1 if counts_down else 1

    def keep(self, key: int | None, tree: MessageTree, settings: ChatSettings) -> int | None:
        """Keep a conversation as it is now; returns its key, None for one in which nothing was said."""
        if not tree.shown:
            self._entries.pop(key or 0, None)
            return None
        entry = self._entries.get(key) if key is not None else None
        if key is None:
            key = self._step * (max(map(abs, self._entries), default=0) + 1)
        title = entry.kept.title if entry is not None else ""
        self._entries[key] = _Entry(Kept(tree, settings, title), datetime.now(UTC))
        return key

    def own_title(self, key: int | None) -> str:
        """The title that the user gave it; empty where there is none."""
        return self._entries[key].kept.title if key in self._entries else ""

    def read(self, key: int) -> Kept:
        """Raises HistoryError."""
        entry = self._entries.get(key)
        if entry is None or entry.is_deleted:
            raise HistoryError(GONE, "Choose another one.")
        return entry.kept

    def newest(self, limit: int = 200) -> Sequence[Summary]:
        living = [(key, entry) for key, entry in self._entries.items() if not entry.is_deleted]
        by_age = sorted(living, key=lambda item: (item[1].changed_at, item[0]), reverse=True)
        return tuple(_summary(key, entry) for key, entry in by_age[:limit])

    def search(self, text: str, limit: int = 50) -> Sequence[Found]:
        words = unicodedata.normalize("NFC", text).casefold().split()
        if not words:
            return ()
        found = (_found(self._entries[each.key].kept, each, words) for each in self.newest(len(self._entries)))
        return tuple(each for each in found if each is not None)[:limit]

    def has(self, key: int | None) -> bool:
        return key in self._entries

    def entries(self) -> Sequence[tuple[int, Kept]]:
        """Those that are not deleted, with their keys."""
        return tuple((key, entry.kept) for key, entry in self._entries.items() if not entry.is_deleted)

    def forget(self, key: int) -> None:
        self._entries.pop(key, None)

    def saved_ms(self, *, new_only: bool = False) -> float:
        """What speculation won against plain decoding in all replies kept here; negative when it lost.

        `new_only`: in conversations that were made here, and not in a file.
        """
        counted = {key: entry for key, entry in self._entries.items() if not new_only or key < 0}
        living = [entry.kept.tree for entry in counted.values() if not entry.is_deleted]
        replies = [node.message.stats for tree in living for _, node in tree.nodes()]
        return sum(stats.saved_by_speculation_ms for stats in replies if stats is not None)

    def rename(self, key: int, title: str) -> None:
        self._entries[key].kept = replace(self.read(key), title=title.strip())

    def delete(self, key: int) -> None:
        self.read(key)
        self._entries[key].is_deleted = True

    def undelete(self, key: int) -> None:
        if key in self._entries:
            self._entries[key].is_deleted = False

    def export(self, key: int, form: str) -> str:
        return exported(self.read(key), form=form)

    def close(self) -> None:
        """Nothing is open."""


def _summary(key: int, entry: _Entry) -> Summary:
    tree = entry.kept.tree
    messages = tree.messages
    model = next((message.model for message in reversed(messages) if message.model), "")
    return Summary(key, entry.kept.title or title_of(tree), entry.changed_at, len(messages), model)


def _found(kept: Kept, summary: Summary, words: list[str]) -> Found | None:
    whole = "\n".join([kept.title, *(node.message.content for _, node in kept.tree.nodes())])
    folded = whole.casefold()
    return Found(summary, *place_of(whole, words)) if all(word in folded for word in words) else None
