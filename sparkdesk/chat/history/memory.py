"""A history that ends with the program: for whoever wants nothing kept, and where nothing can be."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sparkdesk.chat.history.export import exported
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.summary import Found, Summary
from sparkdesk.chat.tree import MessageTree
from sparkdesk.errors import HistoryError

_CONTEXT = 40
"""Characters shown on both sides of what was found."""
_TITLE = 60


@dataclass(slots=True)
class Kept:
    """One conversation."""

    tree: MessageTree
    settings: ChatSettings
    title: str
    """The user's own; empty while it is the first words."""
    changed_at: datetime
    is_deleted: bool = False


class MemoryHistory:
    def __init__(self) -> None:
        self._kept: dict[int, Kept] = {}

    def keep(self, key: int | None, tree: MessageTree, settings: ChatSettings) -> int:
        """Keep a conversation as it is now; returns its key."""
        now = datetime.now(UTC)
        if key is None or key not in self._kept:
            key = max(self._kept, default=0) + 1
            self._kept[key] = Kept(tree, settings, "", now)
        kept = self._kept[key]
        kept.tree, kept.settings, kept.changed_at = tree, settings, now
        return key

    def read(self, key: int) -> Kept:
        """Raises HistoryError."""
        kept = self._kept.get(key)
        if kept is None or kept.is_deleted:
            raise HistoryError("This conversation is no longer there.", "Choose another one.")
        return kept

    def newest(self, limit: int = 200) -> Sequence[Summary]:
        living = [(key, kept) for key, kept in self._kept.items() if not kept.is_deleted]
        by_age = sorted(living, key=lambda item: (item[1].changed_at, item[0]), reverse=True)
        return tuple(_summary(key, kept) for key, kept in by_age[:limit])

    def search(self, text: str, limit: int = 50) -> Sequence[Found]:
        words = text.casefold().split()
        if not words:
            return ()
        found = (_found(self._kept[each.key], each, words) for each in self.newest(len(self._kept)))
        return tuple(each for each in found if each is not None)[:limit]

    def rename(self, key: int, title: str) -> None:
        self.read(key).title = title.strip()

    def delete(self, key: int) -> None:
        self.read(key).is_deleted = True

    def undelete(self, key: int) -> None:
        if key in self._kept:
            self._kept[key].is_deleted = False

    def export(self, key: int, form: str) -> str:
        kept = self.read(key)
        return exported(kept.tree, title=kept.title or title_of(kept.tree), settings=kept.settings, form=form)


def title_of(tree: MessageTree) -> str:
    """The first words of a conversation that has no title of its own."""
    first = next((message.content for message in tree.messages if message.role == "user"), "")
    line = " ".join(first.split())
    return line if len(line) <= _TITLE else f"{line[: _TITLE - 1].rsplit(' ', 1)[0]}…"


def _summary(key: int, kept: Kept) -> Summary:
    messages = kept.tree.messages
    model = next((message.model for message in reversed(messages) if message.model), "")
    return Summary(key, kept.title or title_of(kept.tree), kept.changed_at, len(messages), model)


def _found(kept: Kept, summary: Summary, words: list[str]) -> Found | None:
    texts = [kept.title, *(node.message.content for _, node in kept.tree.nodes())]
    whole = "\n".join(texts)
    folded = whole.casefold()
    if not all(word in folded for word in words):
        return None
    at = folded.find(words[0])
    end = at + len(words[0])
    before, after = whole[max(0, at - _CONTEXT) : at], whole[end : end + _CONTEXT]
    return Found(summary, before.rpartition("\n")[2], whole[at:end], after.partition("\n")[0])
