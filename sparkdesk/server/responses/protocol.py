"""What a form of reply must be able to say: each API has one."""

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from sparkdesk.server.errors import ApiError
from sparkdesk.server.jobs.reply_channel import PromptRead, ReplyDelta, ReplyDone, ReplyStarted


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

    names_events: bool
    """Each chunk has a type, which is its event's name too; else the stream ends with [DONE], as OpenAI's chat does."""

    def opening(self, event: ReplyStarted) -> Iterator[dict[str, Any]]:
        """Chunks before anything has come."""
        ...

    def progress(self, event: PromptRead) -> dict[str, Any] | None:
        """A chunk on the reading of the prompt; None where this form has no place for it."""
        ...

    def quiet(self) -> dict[str, Any] | None:
        """A chunk that says nothing; None where this form has none."""
        ...

    def failed(self, error: ApiError) -> dict[str, Any]:
        """The last chunk of a stream that has begun and cannot end well."""
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


def prompt_progress(event: PromptRead) -> dict[str, Any]:
    """What a chunk tells where `return_progress` was asked for, as llama-server does."""
    done = {"total": event.total, "cache": event.cached, "processed": event.done, "time_ms": event.elapsed_ms}
    return {"prompt_progress": done}
