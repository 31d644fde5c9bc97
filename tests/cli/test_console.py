"""Progress on a terminal is one line that goes away; elsewhere short work is silent."""

import io

import pytest

from sparkdesk.cli.console import ProgressLine, describe
from sparkdesk.events import Notice, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


HALF = Progress("Converting", 50e6, 100e6, "bytes", 25e6)


def test_a_terminal_shows_a_bar_and_then_nothing() -> None:
    stream = Terminal()
    line = ProgressLine(stream)
    line.show(HALF)
    assert "█" in stream.getvalue() and "50%" in stream.getvalue() and "25 MB/s" in stream.getvalue()
    line.clear()
    assert stream.getvalue().endswith("\r") and "\n" not in stream.getvalue()


def test_elsewhere_there_is_a_plain_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock_s = [0.0]
    monkeypatch.setattr("sparkdesk.cli.console.time.monotonic", lambda: clock_s[0])
    stream = io.StringIO()
    line = ProgressLine(stream)
    line.show(HALF)
    assert stream.getvalue() == ""
    clock_s[0] = 6.0
    line.show(HALF)
    line.show(HALF)
    assert stream.getvalue() == describe(HALF, has_bar=False) + "\n"


def test_a_notice_always_gets_a_line_of_its_own() -> None:
    stream = Terminal()
    line = ProgressLine(stream)
    line.show(HALF)
    line.show(Notice("Take note."))
    assert stream.getvalue().endswith("\rTake note.\n")


def test_a_step_without_a_known_end_shows_no_share() -> None:
    assert describe(Progress("Waiting", 3, 0, ""), has_bar=True) == "Waiting"
