"""The kept conversations as a list: by day with their age and size, or as a search found them."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from sparkdesk.chat.summary import Found, Summary
from sparkdesk.safe_text import safe_line
from sparkdesk.ui.shared import numbers

ROW_LINES = 2
UNTITLED = "(without a title)"
_CONTEXT_SHARE = 3
"""At most one part in so many of a found line stands before the match."""


class ConversationList(OptionList):
    """Each row takes two lines; headings take one. Keys beyond moving and Enter are the sidebar's."""

    def __init__(self) -> None:
        super().__init__(compact=True)
        self._summaries: dict[int, Summary] = {}

    @property
    def chosen(self) -> Summary | None:
        """The one that is highlighted."""
        option = self.highlighted_option
        return self._summaries.get(int(option.id)) if option is not None and option.id else None

    @property
    def chosen_line(self) -> int:
        """Where the highlighted row begins, counted from the top of what is visible."""
        before = self.options[: self.highlighted or 0]
        return sum(ROW_LINES if option.id else 1 for option in before) - int(self.scroll_y)

    def show(self, found: Sequence[Summary] | Sequence[Found], *, open_key: int | None, now: datetime) -> None:
        """Keeps the highlight on the same conversation, or at the same place where that one is gone."""
        kept, place = self.chosen, self._rows_above()
        width = max(10, self.scrollable_content_region.width or self.size.width)
        options = list(_options(found, open_key=open_key, width=width, now=now))
        self._summaries = {each.key: each for each in map(_summary, found)}
        self.set_options(options)
        rows = [index for index, option in enumerate(options) if option.id]
        if not rows:
            return
        wanted = str(kept.key if kept else open_key)
        same = next((index for index in rows if options[index].id == wanted), None)
        self.highlighted = rows[min(place, len(rows) - 1)] if same is None else same

    def _rows_above(self) -> int:
        return sum(1 for option in self.options[: self.highlighted or 0] if option.id)


def _options(
    found: Sequence[Summary] | Sequence[Found], *, open_key: int | None, width: int, now: datetime
) -> Iterator[Option]:
    heading = ""
    for each in found:
        summary = _summary(each)
        if isinstance(each, Found):
            second = _place(each, width - 2)
        else:
            second = Content.styled(_facts(summary), "$spark-quiet").truncate(width - 2, ellipsis=True)
            if (day := numbers.day(summary.changed_at, now)) != heading:
                heading = day
                yield Option(Content.styled(day, "bold $spark-quiet"), disabled=True)
        first = _title(summary, width, is_open=summary.key == open_key, age=numbers.age(summary.changed_at, now))
        yield Option(Content.assemble(first, "\n  ", second), id=str(summary.key))


def _summary(each: Summary | Found) -> Summary:
    return each.summary if isinstance(each, Found) else each


def _title(summary: Summary, width: int, *, is_open: bool, age: str) -> Content:
    room = width - len(age) - 3
    title = Content(safe_line(" ".join(summary.title.split())) or UNTITLED).truncate(room, ellipsis=True, pad=True)
    mark = ("▸ ", "bold $primary") if is_open else ("  ", "")
    return Content.assemble(mark, title.stylize("bold") if is_open else title, (f" {age}", "$spark-quiet"))


def _facts(summary: Summary) -> str:
    count = "1 message" if summary.message_count == 1 else f"{summary.message_count} messages"
    return f"{count} · {safe_line(summary.model)}" if summary.model else count


def _place(found: Found, width: int) -> Content:
    """The line in which the words occur, cut so that they are seen."""
    before = Content.styled(_in_one_line(found.before)[-width:], "$spark-quiet")
    match = Content.styled(_in_one_line(found.match), "bold underline $primary")
    after = Content.styled(_in_one_line(found.after), "$spark-quiet")
    room = max(width // _CONTEXT_SHARE, width - match.cell_length - after.cell_length)
    if before.cell_length > room or len(found.before) > width:
        while before.cell_length > room - 1:
            before = before[1:]
        before = Content.assemble(("…", "$spark-quiet"), before)
    return Content.assemble(before, match, after).truncate(width, ellipsis=True)


def _in_one_line(text: str) -> str:
    return safe_line(text.replace("\n", " ").replace("\t", " "))
