"""Keeps replies of /v1/responses for those who go on from them, in memory and within bounds; the oldest go first."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_BYTES = 64_000_000
MOST_RESPONSES = 1000
_TURN_BYTES = 500
"""What a turn costs beside its text."""


@dataclass(frozen=True, slots=True)
class StoredResponse:
    body: Mapping[str, Any]
    """As the client was told."""
    turns: tuple[Mapping[str, Any], ...]
    """The conversation up to and with the reply, without instructions, which hold for one request only."""

    @property
    def size_bytes(self) -> int:
        return sum(map(_size_bytes, (*self.turns, self.body)))


class ResponseStore:
    """Used in the event loop only."""

    def __init__(self, *, most_bytes: int = MOST_BYTES, most_responses: int = MOST_RESPONSES) -> None:
        self._most_bytes, self._most_responses = most_bytes, most_responses
        self._stored: OrderedDict[str, StoredResponse] = OrderedDict()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._stored)

    def put(self, response_id: str, response: StoredResponse) -> None:
        if response.size_bytes > self._most_bytes:
            return
        self._stored[response_id] = response
        self.size_bytes += response.size_bytes
        while self._stored and (self.size_bytes > self._most_bytes or len(self) > self._most_responses):
            self.delete(next(iter(self._stored)))

    def get(self, response_id: str) -> StoredResponse | None:
        if response_id in self._stored:
            self._stored.move_to_end(response_id)
        return self._stored.get(response_id)

    def turns(self, response_id: str) -> tuple[Mapping[str, Any], ...] | None:
        response = self.get(response_id)
        return response.turns if response is not None else None

    def delete(self, response_id: str) -> bool:
        """Whether it was there."""
        response = self._stored.pop(response_id, None)
        self.size_bytes -= response.size_bytes if response is not None else 0
        return response is not None


def _size_bytes(value: object) -> int:
    """Roughly, and more rather than less."""
    match value:
        case str():
            return 4 * len(value) if not value.isascii() else len(value)
        case Mapping():
            return _TURN_BYTES + sum(map(_size_bytes, value.values()))
        case Sequence():
            return sum(map(_size_bytes, value))
        case _:
            return 0
