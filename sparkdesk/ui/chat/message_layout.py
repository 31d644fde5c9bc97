"""All messages of a conversation one below the other: which of them are made and drawn, how high each is, where it
begins. Pure arithmetic on lines; heights of what was never near are estimates."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

from sparkdesk.chat.messages import Branch, Message
from sparkdesk.ui.chat.message_lines import Entry, entry_of

_WRAPPED_SHARE = 1.1
"""Wrapped text takes a little more room than its characters."""
_AROUND = 3
"""Lines of a message that are not its text, as an estimate."""


class MessageLayout:
    """Positions count from 0. `width` is the room for text, 0 until it is known."""

    def __init__(self, prepare: Callable[[Entry], None] = lambda entry: None) -> None:
        self._prepare = prepare
        """Called with every entry that is made."""
        self._messages: list[Message | None] = []
        """What entries are made of when they come near; None for one that was never kept."""
        self._entries: list[Entry | None] = []
        self._branch_of: Callable[[int], Branch] = lambda index: Branch(1, 1)
        self._model = ""
        self._left_out = 0
        self._width = 0
        self._heights: list[int] = []
        self._tops = [0]
        """One more than there are entries: the last is the height of all."""

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, position: int) -> Entry:
        entry = self._entries[position]
        if entry is None:
            message = self._messages[position]
            assert message is not None, "only entries of messages are made later"
            entry = entry_of(message, position, self._branch_of(position), model=self._model)
            entry.is_cut_above = 0 < self._left_out == position
            self._prepare(entry)
            self._entries[position] = entry
        return entry

    @property
    def height(self) -> int:
        return self._tops[-1]

    def made(self) -> Iterator[Entry]:
        """What was near at some time."""
        return (entry for entry in self._entries if entry is not None)

    def append(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._messages.append(None)
        self._heights.append(_AROUND)
        self._lay_out(len(self) - 1)

    def extend(self, messages: Sequence[Message], branch_of: Callable[[int], Branch], *, model: str) -> None:
        """With messages of the conversation. `model` is what is loaded now."""
        self._branch_of, self._model = branch_of, model
        first = len(self)
        self._entries += [None] * len(messages)
        self._messages += messages
        self._heights += [self._estimate(position) for position in range(first, len(self))]
        self._lay_out(first)

    def truncate(self, position: int) -> None:
        """Forget that one and what follows it."""
        del self._entries[position:], self._messages[position:], self._heights[position:], self._tops[position + 1 :]

    def cut(self, left_out: int) -> None:
        """The model reads from that position on."""
        for position in {self._left_out, left_out}:
            if position < len(self) and (entry := self._entries[position]) is not None:
                entry.is_cut_above = 0 < left_out == position
                entry.changed()
        self._left_out = left_out

    def fit(self, width: int) -> bool:
        """Make room for text so wide; whether that is another width than before."""
        if width == self._width:
            return False
        self._width = width
        self._heights = [self._estimate(position) for position in range(len(self))]
        self._lay_out(0)
        return True

    def top(self, position: int) -> int:
        return self._tops[position]

    def at(self, line: int) -> int:
        """Position of the entry that this line belongs to."""
        return max(0, min(len(self) - 1, bisect_right(self._tops, line) - 1))

    def measure(self, positions: Sequence[int]) -> bool:
        """Draw these; whether any was another height than thought."""
        first = len(self)
        for position in positions:
            height = len(self[position].lines(self._width))
            if height != self._heights[position]:
                self._heights[position] = height
                first = min(first, position)
        if first < len(self):
            self._lay_out(first)
        return first < len(self)

    def _lay_out(self, first: int) -> None:
        """Work out where entries begin, from the first on whose height has changed."""
        del self._tops[first + 1 :]
        top = self._tops[first]
        for height in self._heights[first:]:
            top += height
            self._tops.append(top)

    def _estimate(self, position: int) -> int:
        entry, message = self._entries[position], self._messages[position]
        text = entry.text if entry is not None else message.content if message is not None else ""
        return _AROUND + text.count("\n") + int(_WRAPPED_SHARE * len(text)) // max(1, self._width)
