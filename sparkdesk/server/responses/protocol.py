"""What a form of reply must be able to say: chat and text completions each have one."""

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from sparkdesk.server.jobs.reply_channel import ReplyDelta, ReplyDone


@dataclass(frozen=True, slots=True)
class ResponseHeading:
    """What every JSON object of one reply begins with."""

    prefix: str
    model: str
    created: int = field(default_factory=lambda: int(time.time()))
    secret: str = field(default_factory=lambda: secrets.token_hex(12))

    @property
    def id(self) -> str:
        return f"{self.prefix}-{self.secret}"

    def as_json(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


class ResponseBuilder(Protocol):
    """Builds a reply up, to be sent whole or in chunks; one object for each reply."""

    def opening(self) -> Iterator[dict[str, Any]]:
        """Chunks before anything has come."""
        ...

    def chunks(self, event: ReplyDelta) -> Iterator[dict[str, Any]]: ...
    def closing(self, event: ReplyDone) -> Iterator[dict[str, Any]]:
        """Chunks at the end, figures included."""
        ...

    def add(self, event: ReplyDelta) -> None: ...
    def complete(self, event: ReplyDone) -> dict[str, Any]: ...


def with_usage(body: dict[str, Any], event: ReplyDone) -> dict[str, Any]:
    figures = event.figures
    return {**body, "usage": figures.usage(), "timings": figures.timings(), "metrics": figures.metrics()}


def timings_so_far(event: ReplyDelta) -> dict[str, Any]:
    """What a chunk tells where `timings_per_token` was asked for, as llama-server does."""
    return {"timings": event.figures.timings()} if event.figures is not None else {}
