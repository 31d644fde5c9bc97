"""Takes the haste out of event streams: a fast model makes 500 rounds a second, a screen shows 16 pictures."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

from sparkdesk.chat.attribution import mark_of
from sparkdesk.chat.events import ContextTrimmed, PrefillAdvanced, ReplyAdvanced, ReplyBroken, ReplyEvent, ReplyFinished
from sparkdesk.chat.trace import RoundMark, Stretch
from sparkdesk.events import SILENCE, Journey, Progress, Report, Result, Run
from sparkdesk.ui.shared.frame_pacer import INTERVAL_S

Event = TypeVar("Event")


@dataclass(frozen=True, slots=True)
class ReplyBatch:
    """What happened to the reply since the last batch."""

    trimmed: ContextTrimmed | None = None
    prefill: PrefillAdvanced | None = None
    """The newest only."""
    advances: tuple[ReplyAdvanced, ...] = ()
    end: ReplyFinished | ReplyBroken | None = None

    @property
    def text(self) -> str:
        return "".join(advance.text for advance in self.advances)

    @property
    def stretches(self) -> list[Stretch]:
        return [stretch for advance in self.advances for stretch in advance.stretches]

    @property
    def rounds(self) -> list[RoundMark]:
        return [
            mark_of(advance.round, is_speculating=advance.is_speculating)
            for advance in self.advances
            if advance.round.tokens
        ]


class ReplyQueue:
    """Where a worker leaves the events of a reply and the screen takes them, at its own pace and all at once.

    The screen comes by on a timer. Batching on the worker's side would hold back the last words before a stall.
    """

    def __init__(self) -> None:
        self._events: SimpleQueue[ReplyEvent] = SimpleQueue()

    @property
    def is_empty(self) -> bool:
        return self._events.empty()

    def put(self, event: ReplyEvent) -> None:
        self._events.put(event)

    def take(self) -> ReplyBatch | None:
        """Everything since the last time; None when that is nothing."""
        trimmed, prefill, advances, end = None, None, [], None
        for event in self._waiting():
            match event:
                case ContextTrimmed():
                    trimmed = event
                case PrefillAdvanced():
                    prefill = event
                case ReplyAdvanced():
                    advances.append(event)
                case _:
                    end = event
        if trimmed or prefill or advances or end:
            return ReplyBatch(trimmed, prefill, tuple(advances), end)
        return None

    def _waiting(self) -> Iterator[ReplyEvent]:
        while not self._events.empty():  # one reader, so what is there stays there
            yield self._events.get()


def calm_progress(
    events: Iterator[Report], has_ended: Callable[[], bool], clock: Callable[[], float] = time.monotonic
) -> Iterator[Report]:
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


def hear(journey: Journey[Result], report: Callable[[Report], object], has_ended: Callable[[], bool]) -> Result | None:
    """Run a journey in a worker's thread and report its events. None where the worker was told to end; the journey is
    closed then. Raises what the journey raises."""
    run = Run(journey)
    for event in calm_progress(iter(run), has_ended):
        if event != SILENCE:
            report(event)
    return run.result if run.is_over else None
