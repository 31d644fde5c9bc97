"""Runs a journey of the shelf in a worker's thread: tells its events at a pace that can be seen, returns its result."""

from collections.abc import Callable, Iterator

from sparkdesk.events import SILENCE, Journey, Report, Result
from sparkdesk.ui.shared.event_queue import calm_progress


def hear(journey: Journey[Result], tell: Callable[[Report], object], has_ended: Callable[[], bool]) -> Result | None:
    """None where the worker was told to end; the journey is closed then. Raises what the journey raises."""
    results: list[Result] = []

    def told() -> Iterator[Report]:
        results.append((yield from journey))

    for event in calm_progress(told(), has_ended):
        if event != SILENCE:
            tell(event)
    return results[0] if results else None
