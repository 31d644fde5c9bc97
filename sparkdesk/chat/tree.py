"""What was said, with every version of it: edited prompts and replies made again stand beside the first. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sparkdesk.chat.messages import Branch, Message


@dataclass(slots=True)
class Node:
    """A message in its place."""

    message: Message
    parent: int | None
    """None for a version of the first message."""
    children: list[int] = field(default_factory=list)
    """Versions of the message that follows, oldest first."""
    shown_child: int | None = None
    """Which of them is shown; the one that was seen last."""


class MessageTree:
    """Messages by number, in the order they were added; one line from a first message to a last one is shown."""

    def __init__(self) -> None:
        self._nodes: dict[int, Node] = {}
        self._roots: list[int] = []
        self._shown_root: int | None = None
        self._next = 0
        self._path: tuple[int, ...] | None = ()

    @property
    def shown(self) -> tuple[int, ...]:
        """Numbers of the messages that are shown, from the first."""
        if self._path is None:
            self._path = tuple(self._walk())
        return self._path

    @property
    def messages(self) -> tuple[Message, ...]:
        return tuple(self._nodes[number].message for number in self.shown)

    @property
    def last(self) -> int | None:
        return self.shown[-1] if self.shown else None

    def nodes(self) -> Iterator[tuple[int, Node]]:
        """All of them, parents before children."""
        yield from self._nodes.items()

    def message(self, number: int) -> Message:
        return self._nodes[number].message

    def parent(self, number: int) -> int | None:
        return self._nodes[number].parent

    def path_to(self, number: int | None) -> tuple[int, ...]:
        """From the first message to this one; nothing for None."""
        path = []
        while number is not None:
            path.append(number)
            number = self._nodes[number].parent
        return tuple(reversed(path))

    def line_to(self, number: int | None) -> tuple[Message, ...]:
        """The messages on that path."""
        return tuple(self._nodes[each].message for each in self.path_to(number))

    def add(self, message: Message, parent: int | None) -> int:
        """Another version of what follows `parent`, shown from now on; returns its number."""
        number = self._next
        self.put(number, message, parent)
        self.show(number)
        return number

    def put(self, number: int, message: Message, parent: int | None) -> None:
        """A message with its number from before, as when it is read again; parents come first. What is shown stays."""
        assert number not in self._nodes, f"there is a message {number} already"
        self._nodes[number] = Node(message, parent)
        self._siblings_below(parent).append(number)
        self._next = max(self._next, number + 1)

    def show(self, number: int) -> None:
        """Show this message, with what leads to it and what followed it last."""
        parent = self._nodes[number].parent
        while parent is not None:
            self._nodes[parent].shown_child = number
            number, parent = parent, self._nodes[parent].parent
        self._shown_root, self._path = number, None

    def replace(self, number: int, message: Message) -> None:
        """In the same place: a reply that has grown."""
        self._nodes[number].message = message

    def remove(self, number: int) -> None:
        """A message that nothing follows; the version before it is shown again."""
        node = self._nodes.pop(number)
        assert not node.children, "something follows this message"
        siblings = self._siblings_below(node.parent)
        siblings.remove(number)
        shown = siblings[-1] if siblings else None
        if node.parent is None:
            self._shown_root = shown if self._shown_root == number else self._shown_root
        elif self._nodes[node.parent].shown_child == number:
            self._nodes[node.parent].shown_child = shown
        self._path = None

    def shown_leaves(self) -> list[int]:
        """Last messages which, shown one after the other, bring back what is shown here and in every hidden branch."""
        leaves = [number for number, node in self._nodes.items() if not node.children and self._is_chosen(number)]
        return sorted(leaves, key=self._detours, reverse=True)

    def branch(self, index: int) -> Branch:
        """Of the message shown at `index`."""
        number = self.shown[index]
        siblings = self._siblings_below(self._nodes[number].parent)
        return Branch(siblings.index(number) + 1, len(siblings))

    def switch(self, index: int, step: int) -> None:
        """Show a neighbouring version of the message at `index`; at the first and the last nothing happens."""
        number = self.shown[index]
        siblings = self._siblings_below(self._nodes[number].parent)
        place = siblings.index(number) + step
        if 0 <= place < len(siblings):
            self.show(siblings[place])

    def _siblings_below(self, parent: int | None) -> list[int]:
        return self._roots if parent is None else self._nodes[parent].children

    def _is_chosen(self, number: int) -> bool:
        """Whether it is the one of its versions that is shown where their parent is."""
        parent = self._nodes[number].parent
        return number == (self._shown_root if parent is None else self._nodes[parent].shown_child)

    def _detours(self, number: int | None) -> int:
        """On how many steps from the first message to this one another version is shown."""
        detours = 0
        while number is not None:
            detours += not self._is_chosen(number)
            number = self._nodes[number].parent
        return detours

    def _walk(self) -> Iterator[int]:
        number = self._shown_root
        while number is not None:
            yield number
            number = self._nodes[number].shown_child
