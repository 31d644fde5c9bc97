"""What is for people: errors, notices and progress on stderr, and tables on stdout, which is left to the answer."""

import sys
import time
from collections.abc import Generator, Iterable
from typing import TextIO

from sparkdesk.errors import SparkDeskError
from sparkdesk.events import Notice, Progress, Result, Run
from sparkdesk.safe_text import TerminalGuard, own_control, safe_line, safe_text

_BAR_CELLS = 24
_QUIET_INTERVAL_S = 5.0  # between lines where nothing can be redrawn
_REDRAW_INTERVAL_S = 0.05


def say(text: str) -> None:
    """What it quotes may come from anywhere, also where stderr is a log that is looked at later."""
    print(safe_text(text), file=sys.stderr, flush=True)


def show(text: str, end: str = "\n") -> None:
    """The answer, where it is for people; a pipe leads to a pager, or into a file that is looked at later."""
    print(text if isinstance(sys.stdout, TerminalGuard) else safe_text(text), end=end)


def say_error(error: SparkDeskError) -> None:
    say(f"sparkdesk: {error.message}")
    if error.hint:
        say(f"  {error.hint}")


def follow(journey: Generator[Progress | Notice, None, Result]) -> Result:
    """`show_progress`, for a journey that returns something."""
    run = Run(journey)
    show_progress(run)
    return run.result


def show_progress(events: Iterable[Progress | Notice]) -> None:
    """Run a journey to its end and show how far it is; the line is gone afterwards."""
    line = ProgressLine(sys.stderr)
    try:
        for event in events:
            line.show(event)
    finally:
        line.clear()


class ProgressLine:
    """One line, redrawn in place on a terminal; elsewhere a plain line every few seconds, so short work is silent."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._start = own_control(stream, "\r")
        self._step = ""
        self._shown_at_s = time.monotonic()
        self._width = 0

    def show(self, event: Progress | Notice) -> None:
        if isinstance(event, Notice):
            self.clear()
            print(safe_text(event.text), file=self._stream, flush=True)
        elif self._is_due(event):
            self._step, self._shown_at_s = event.step, time.monotonic()
            self._draw(safe_line(describe(event, has_bar=self._is_terminal)))

    def clear(self) -> None:
        if self._width:
            print(self._start + " " * self._width + self._start, end="", file=self._stream, flush=True)
            self._width = 0

    def _is_due(self, event: Progress) -> bool:
        elapsed_s = time.monotonic() - self._shown_at_s
        if self._is_terminal:
            return event.step != self._step or elapsed_s >= _REDRAW_INTERVAL_S
        return elapsed_s >= _QUIET_INTERVAL_S

    def _draw(self, text: str) -> None:
        if not self._is_terminal:
            print(text, file=self._stream, flush=True)
            return
        print(self._start + text.ljust(self._width), end="", file=self._stream, flush=True)
        self._width = len(text)


def describe(progress: Progress, *, has_bar: bool) -> str:
    parts = [progress.step]
    if progress.total > 0:
        filled = round(progress.fraction * _BAR_CELLS)
        parts += ["█" * filled + "░" * (_BAR_CELLS - filled)] if has_bar else []
        parts += [f"{progress.fraction:4.0%}"]
    if progress.unit == "bytes":
        parts += [f"{progress.done / 1e6:,.0f} MB"]
        parts += [f"{progress.rate_per_second / 1e6:,.0f} MB/s"] if progress.rate_per_second > 0 else []
        parts += [_in_all(progress.whole)] if progress.whole is not None else []
    elif progress.unit == "prompts":
        parts += [f"{int(progress.done)} of {progress.total:.0f}"]
        parts += _pace(progress) if progress.rate_per_second > 0 else []
    return "  ".join(parts)


def _pace(progress: Progress) -> list[str]:
    """For steps of seconds or minutes each: how many a minute, and when it will be over."""
    return [f"{60 * progress.rate_per_second:.1f} a minute", _left(progress)]


def _in_all(whole: Progress) -> str:
    left = [_left(whole)] if whole.rate_per_second > 0 else []
    return ", ".join((f"in all {whole.done / 1e9:,.1f} of {whole.total / 1e9:,.1f} GB", *left))


def _left(progress: Progress) -> str:
    left_s = (progress.total - progress.done) / progress.rate_per_second
    return f"{left_s / 60:.0f} min left" if left_s >= 90 else f"{left_s:.0f} s left"
