"""Progress tells of each file and of all, at the rate bytes really come, and a file that was cut counts what it had."""

from collections.abc import Generator

import pytest

from sparkdesk.cli.console import describe
from sparkdesk.events import Notice, Progress
from sparkdesk.hub import download
from sparkdesk.hub.fetch import Arrived, Checking
from sparkdesk.hub.repository import HubFile, Repository

ONE, TWO = HubFile("one.bin", 1000, "1" * 64), HubFile("two.bin", 3000, "2" * 64)
WANTED = (download.FileSelection(Repository("A/B", "0" * 40, (ONE, TWO)), (ONE, TWO)),)


def steps(*given: Arrived | Checking | Notice) -> Generator[Arrived | Checking | Notice, None, None]:
    yield from given


def test_every_file_is_told_of_and_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    clock_s = iter(range(1, 100))
    monkeypatch.setattr("sparkdesk.hub.download.time.monotonic", lambda: float(next(clock_s)))
    shown = download._Shown(WANTED)
    first = list(shown.file(ONE, steps(Arrived(0, 0), Arrived(500, 500), Arrived(1000, 1000))))
    assert [(event.done, event.total) for event in first if isinstance(event, Progress)][-1] == (1000, 1000)
    second = list(shown.file(TWO, steps(Checking(2000), Notice("n"), Arrived(2500, 500))))
    checking, notice, last = second
    assert isinstance(checking, Progress) and checking.step == "Checking two.bin (2 of 2)"
    assert notice == Notice("n")
    assert isinstance(last, Progress) and last.whole is not None
    assert (last.step, last.done, last.whole.done, last.whole.total) == (
        "Downloading two.bin (2 of 2)", 2500, 3500, 4000,
    )  # fmt: skip
    # 1,500 bytes came in the four seconds since the first of them; the 2,000 of before are not this download's.
    assert last.rate_per_second == pytest.approx(1500 / 4)


def test_a_line_tells_both_and_when_it_will_be_over() -> None:
    whole = Progress("All files", 4e9, 10e9, "bytes", 100e6)
    line = describe(Progress("Downloading x", 1e9, 2e9, "bytes", 100e6, whole), has_bar=False)
    assert line == "Downloading x   50%  1,000 MB  100 MB/s  in all 4.0 of 10.0 GB, 60 s left"
