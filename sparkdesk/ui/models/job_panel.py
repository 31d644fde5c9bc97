"""A download or a build while it goes on: its steps, the file, all files, rate and time left; and how it ended."""

from collections.abc import Iterator

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from sparkdesk.events import Progress
from sparkdesk.sizes import shortened, size_in_words
from sparkdesk.ui.models.job import DONE, FAILED, STEPS, STOPPED, Work
from sparkdesk.ui.shared import bars, numbers

_BAR, _SHORT_BAR, _ROOM_FOR_LONG = 16, 8, 100
_MOST_NAME = 46


class JobPanel(Widget):
    """Hidden as long as nothing was ordered. The keys are said by whoever knows them."""

    job: reactive[Work | None] = reactive(None, layout=True)
    keys: reactive[str] = reactive("", layout=True)

    def watch_job(self) -> None:
        self.display = self.job is not None

    def render(self) -> RenderResult:
        width = self.content_size.width or 80
        return Content("\n").join(_lines(self.job, width, self.keys)) if self.job is not None else ""


def _lines(work: Work, width: int, keys: str) -> Iterator[Content]:
    name = work.order.name
    if work.state == DONE and work.got is not None:
        yield Content.assemble(("✓ ", "$success"), (work.got.sentence, "bold"), (f"  {keys}", "$primary"))
        return
    if work.state == FAILED:
        yield Content.assemble(("✗ ", "$error"), (f"{name}: {work.cause}", "bold"), f" {work.hint}")
        yield Content.styled("What was downloaded is kept.  " + keys, "$spark-quiet")
        return
    if work.state == STOPPED:
        yield Content.assemble(
            ("■ ", "$warning"), (f"{name}: stopped. What was downloaded is kept.", "bold"), f"  {keys}"
        )
        return
    yield Content.assemble(("▸ ", "$primary"), (f"{name}  ", "bold"), (f"{keys}   ", "$spark-quiet"), *_steps(work))
    if work.progress is None:
        yield Content.styled("  starting …", "$spark-quiet")
        return
    yield _bar(work.progress, work.progress.step.removeprefix("Downloading "), width, _amounts(work.progress, width))
    if work.progress.whole is not None:
        yield _bar(work.progress.whole, "Total", width, _amounts(work.progress.whole, _ROOM_FOR_LONG))
    elif work.notices:
        yield Content.styled("  " + shortened(work.notices[-1], width - 2), "$spark-quiet")


def _steps(work: Work) -> Iterator[tuple[str, str] | str]:
    for step in STEPS:
        if step == work.step:
            yield (f"▸ {step}  ", "$primary")
        elif step in work.steps:
            yield (f"✓ {step}  ", "$success")
        elif not _is_behind(step, work):
            yield (f"· {step}  ", "$spark-faint")


def _is_behind(step: str, work: Work) -> bool:
    """Left out because there was nothing to do."""
    return bool(work.step) and STEPS.index(step) < STEPS.index(work.step)


def _bar(progress: Progress, name: str, width: int, amounts: str) -> Content:
    cells = _BAR if width >= _ROOM_FOR_LONG else _SHORT_BAR
    name_width = min(_MOST_NAME, max(12, width - cells - len(amounts) - 13))
    label = shortened(name, name_width).ljust(name_width)
    if progress.total <= 0:
        return Content.assemble("  ", label, "  ", (amounts, "$spark-quiet"))
    filled = bars.bar(progress.fraction, cells).rstrip()
    percent = f" {numbers.percent(progress.fraction):>5}  "
    rest = ("·" * (cells - len(filled)), "$spark-faint")
    return Content.assemble("  ", label, "  ", (filled, "$primary"), rest, percent, (amounts, "$spark-quiet"))


def _amounts(progress: Progress, width: int) -> str:
    """Of a single file the whole size is left out where there is little room."""
    parts = []
    rate = progress.rate_per_second
    if progress.unit == "bytes":
        total = f" of {size_in_words(int(progress.total))}" if progress.total and width >= _ROOM_FOR_LONG else ""
        parts.append(f"{size_in_words(int(progress.done))}{total}")
        parts.append(f"{size_in_words(int(rate))}/s" if rate > 0 else "")
    elif progress.unit and progress.total:
        parts.append(f"{progress.done:.0f} of {progress.total:.0f} {progress.unit}")
    if rate > 0 and progress.fraction < 1 and progress.total > 0:
        parts.append(f"{numbers.duration(1e3 * (progress.total - progress.done) / rate)} left")
    return " · ".join(part for part in parts if part)
