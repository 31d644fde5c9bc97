"""Takes the haste out of event streams: a fast model makes 500 rounds a second, a screen shows 20 pictures."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from sparkdesk.chat.events import PrefillAdvanced, ReplyAdvanced, ReplyBroken, ReplyEvent, ReplyFinished
from sparkdesk.events import Progress
from sparkdesk.ui.desk import OpenEvent

Event = TypeVar("Event")

INTERVAL_S = 0.045


@dataclass(frozen=True, slots=True)
class ReplyBatch:
    """What happened to the reply since the last batch."""

    prefill: PrefillAdvanced | None = None
    """The newest only."""
    advances: tuple[ReplyAdvanced, ...] = ()
    end: ReplyFinished | ReplyBroken | None = None

    @property
    def text(self) -> str:
        return "".join(advance.text for advance in self.advances)


def reply_batches(
    events: Iterator[ReplyEvent], has_ended: Callable[[], bool], clock: Callable[[], float] = time.monotonic
) -> Iterator[ReplyBatch]:
    """Lose nothing of the text, and give a batch at once when the last one is long enough ago."""
    due = clock()
    batch = ReplyBatch()
    for event in until(events, has_ended):
        batch = _joined(batch, event)
        if batch.end or clock() >= due:
            yield batch
            batch, due = ReplyBatch(), clock() + INTERVAL_S
    if batch != ReplyBatch():
        yield batch


def calm_progress(
    events: Iterator[OpenEvent], has_ended: Callable[[], bool], clock: Callable[[], float] = time.monotonic
) -> Iterator[OpenEvent]:
    """Leave out progress that nobody could see; keep notices, and the first and last of every step."""
    due, step = clock(), ""
    for event in until(events, has_ended):
        if isinstance(event, Progress):
            if event.step == step and event.fraction < 1 and clock() < due:
                continue
            step, due = event.step, clock() + INTERVAL_S
        yield event


def until(events: Iterator[Event], has_ended: Callable[[], bool]) -> Iterator[Event]:
    """The events as they come. When the worker is told to end, the journey below is closed, not just left behind."""
    try:
        for event in events:
            yield event
            if has_ended():
                return
    finally:
        close = getattr(events, "close", None)  # generators have it, iterators in general do not
        if close is not None:
            close()


def _joined(batch: ReplyBatch, event: ReplyEvent) -> ReplyBatch:
    match event:
        case PrefillAdvanced():
            return ReplyBatch(event, batch.advances, batch.end)
        case ReplyAdvanced():
            return ReplyBatch(batch.prefill, (*batch.advances, event), batch.end)
        case _:
            return ReplyBatch(batch.prefill, batch.advances, event)
