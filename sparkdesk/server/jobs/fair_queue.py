"""Who waits for the engine: each client's requests in their order, the clients in turn. Knows nothing of requests."""

from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class QueueFull(Exception):
    pass


class FairQueue(Generic[Item]):
    """A client that asks for much at once does not keep the others waiting for all of it."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._waiting: dict[str, deque[Item]] = {}
        """In the order in which clients have their turn."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, client: str, item: Item) -> None:
        """Raises QueueFull."""
        if self._count >= self.capacity:
            raise QueueFull
        self._waiting.setdefault(client, deque()).append(item)
        self._count += 1

    def take(self) -> Item | None:
        """The next item, whose client goes to the end of the line."""
        client = next(iter(self._waiting), None)
        if client is None:
            return None
        items = self._waiting.pop(client)
        item = items.popleft()
        if items:
            self._waiting[client] = items
        self._count -= 1
        return item

    def remove(self, client: str, item: Item) -> bool:
        """Whether it was still waiting."""
        items = self._waiting.get(client)
        if items is None or item not in items:
            return False
        items.remove(item)
        if not items:
            del self._waiting[client]
        self._count -= 1
        return True

    def clear(self) -> list[Item]:
        items = [item for waiting in self._waiting.values() for item in waiting]
        self._waiting.clear()
        self._count = 0
        return items
