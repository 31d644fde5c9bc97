"""Runs a journey in a worker's thread: reports its events at a pace that can be seen, returns its result."""

from collections.abc import Callable

from sparkdesk.events import SILENCE, Journey, Report, Result, Run
from sparkdesk.ui.shared.event_queue import calm_progress


def hear(journey: Journey[Result], report: Callable[[Report], object], has_ended: Callable[[], bool]) -> Result | None:
    """None where the worker was told to end; the journey is closed then. Raises what the journey raises."""
    run = Run(journey)
    for event in calm_progress(iter(run), has_ended):
        if event != SILENCE:
            report(event)
    return run.result if run.is_over else None
