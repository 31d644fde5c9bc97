"""Who waits for the engine, and who is next: by the time each has been given. Knows nothing of requests.

Weighted fair queueing (Demers, Keshav and Shenker, 1989), on two levels: groups share the engine, and so do the lines
of a group. An item's tag is when its line would have been given what it asks for if all shared the engine at the same
time; the smallest tag of the group that has been given least comes next. So a small request passes many large ones, and
a large one is passed for a while only.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")


class QueueFull(Exception):
    pass


class Client(NamedTuple):
    """Whose turn it is."""

    group: str
    """A user, else an address."""
    line: str = ""
    """A connection."""


@dataclass(slots=True)
class _Line(Generic[Item]):
    items: deque[tuple[float, float, Item]] = field(default_factory=deque)
    """Tag, cost and item, in the order of their arrival."""
    last_tag: float = 0.0


@dataclass(slots=True)
class _Group(Generic[Item]):
    given: float
    """Time, counted from what those who waited had when it came."""
    clock: float = 0.0
    lines: dict[str, _Line[Item]] = field(default_factory=dict)


class FairQueue(Generic[Item]):
    """Costs are in seconds, or any other unit that is the same for all."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._groups: dict[str, _Group[Item]] = {}
        self._departed: dict[str, float] = {}
        """What those have been given who wait for nothing now, where it is more than others have."""
        self._clock = 0.0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, client: Client, item: Item, cost: float = 1.0) -> None:
        """`cost` is what it is expected to take. Raises QueueFull."""
        if self._count >= self.capacity:
            raise QueueFull
        if client.group not in self._groups:
            self._groups[client.group] = _Group(max(self._clock, self._departed.pop(client.group, 0.0)))
        group = self._groups[client.group]
        line = group.lines.setdefault(client.line, _Line())
        line.last_tag = max(group.clock, line.last_tag) + cost
        line.items.append((line.last_tag, cost, item))
        self._count += 1

    def take(self) -> Item | None:
        if not self._groups:
            return None
        name, group = min(self._groups.items(), key=lambda each: each[1].given)
        line_name, line = min(group.lines.items(), key=lambda each: each[1].items[0][0])
        _, cost, item = line.items.popleft()
        self._clock = group.given
        group.clock += cost / len(group.lines)
        group.given += cost
        self._drop_empty(name, line_name)
        self._count -= 1
        return item

    def charge(self, client: Client, seconds: float) -> None:
        """What an item took beyond its cost, or less."""
        if client.group in self._groups:
            self._groups[client.group].given += seconds
        elif client.group in self._departed:
            self._departed[client.group] += seconds

    def remove(self, client: Client, item: Item) -> bool:
        """Whether it was still waiting."""
        group = self._groups.get(client.group)
        line = group.lines.get(client.line) if group is not None else None
        found = next((each for each in line.items if each[2] == item), None) if line is not None else None
        if line is None or found is None:
            return False
        line.items.remove(found)
        self._drop_empty(*client)
        self._count -= 1
        return True

    def clear(self) -> list[Item]:
        lines = (line for group in self._groups.values() for line in group.lines.values())
        items = [item for line in lines for _, _, item in line.items]
        self._groups.clear()
        self._count = 0
        return items

    def _drop_empty(self, group: str, line: str) -> None:
        lines = self._groups[group].lines
        if not lines[line].items:
            del lines[line]
        if not lines:
            self._departed = {name: given for name, given in self._departed.items() if given > self._clock}
            self._departed[group] = self._groups.pop(group).given
