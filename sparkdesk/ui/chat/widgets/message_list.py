"""The messages of a conversation, of which only those near the view are drawn: it is one widget however many there are.

Follows the newest line until the user scrolls up, and keeps the reader's place while heights above become known.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from sparkdesk.chat.messages import Branch, Message
from sparkdesk.ui.chat.message_layout import MessageLayout
from sparkdesk.ui.chat.message_lines import Entry
from sparkdesk.ui.chat.messages import MessageActed, PlaceChanged

_GUTTER = 2
_MARGIN = 1
_WIDEST = 100
"""Columns of text; longer lines are hard to read. The rest is margin."""
_BAR, _SELECTED_BAR, _NO_BAR = "▌ ", "┃ ", "  "
_BLANK = Content("")
_MOST_STRIPS = 2000


class MessageList(ScrollView, can_focus=True):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "act('edit')", "Edit", tooltip="Edit the selected message and ask again", id="message.edit"),
        Binding(
            "r",
            "act('regenerate')",
            "Regenerate",
            tooltip="Regenerate the last reply; this one is kept",
            id="message.regenerate",
        ),
        Binding("g", "act('go_on')", "Continue", tooltip="Continue a reply that was cut short", id="message.go_on"),
        Binding("c", "act('copy')", "Copy", tooltip="Copy the selected message", id="message.copy"),
        Binding("b", "act('copy_code')", "Copy code", tooltip="Copy a code block of it", id="message.copy_code"),
        Binding("t", "act('fold')", "Thought", tooltip="Unfold or fold what was thought", id="message.fold"),
        Binding("left", "act('previous')", "◂", tooltip="The version before this one", id="message.previous"),
        Binding("right", "act('next')", "▸", tooltip="The version after this one", id="message.next"),
        Binding("escape,enter", "leave", "Back", tooltip="Back to the prompt", id="message.leave"),
    ]

    selected: reactive[int | None] = reactive(None)
    """Position of the message that the keys act on."""

    def __init__(self) -> None:
        super().__init__()
        self.roll = MessageLayout()
        self._is_settling = False
        self._follows = True
        self._line_width = self._text_width = 0
        self._strips: dict[tuple[int, str, str], tuple[Content, Strip]] = {}
        """Lines as they are painted; those of a growing reply move up, and few are new."""
        self._painted: list[Content | None] = []
        """What the rows of the view show."""
        self._place: PlaceChanged | None = None

    # What is shown

    def show(self, roll: MessageLayout) -> None:
        """Another conversation, at its end."""
        self.roll = roll
        self.selected = None
        self._follows = True
        self._settle()

    def append(self, entry: Entry) -> None:
        """Something new was begun: whatever was looked at, the view goes there."""
        self.roll.append(entry)
        self._follows = True
        self._settle()

    def truncate(self, position: int) -> None:
        self.roll.truncate(position)
        if self.selected is not None and self.selected >= position:
            self.selected = None
        self._settle()

    def replace(
        self, position: int, messages: Sequence[Message], branch_of: Callable[[int], Branch], *, model: str
    ) -> None:
        """From that one on, others are shown, with which `messages` ends; the selection stays."""
        self.roll.truncate(position)
        self.roll.extend(messages[position:], branch_of, model=model)
        self._follows = False
        self._settle()
        self.select(position)
        self.refresh_bindings()

    def go_to_newest(self) -> None:
        self._follows = True
        self._settle()

    def redraw(self, *, keeps_place: bool = False) -> None:
        """Entries have changed. With `keeps_place` what is at the top of the view stays there, whatever grew below."""
        self._follows = self._follows and not keeps_place
        self._settle()

    @property
    def chosen(self) -> Entry | None:
        return self.roll[self.selected] if self.selected is not None and self.selected < len(self.roll) else None

    # Places

    def _settle(self) -> None:
        """Draw what is near the view, learn its height, and put the view where it was."""
        if self._is_settling:
            return
        self._line_width = self.scrollable_content_region.width
        self._text_width = max(0, min(_WIDEST, self._line_width - _GUTTER - _MARGIN))
        if not self._text_width:
            return
        self._is_settling = True
        try:
            is_new_width = self.roll.fit(self._text_width)
            if len(self.roll):
                if self._follows or is_new_width:
                    self._draw_end()
                if not self._follows:
                    self._draw_around()
                    self._follows = self.scroll_y >= self.max_scroll_y
            self._resize()
            if self._follows:
                self._put_at(self.max_scroll_y)
        finally:
            self._is_settling = False
        self._repaint()
        self._tell_place()

    def _repaint(self) -> None:
        """Only the rows in which another line is to be seen now."""
        top, height, width = self.scroll_offset.y, self.size.height, self.size.width
        before, self._painted = self._painted, [self._line(top + row) for row in range(height)]
        if len(before) != height:
            self.refresh()
            return
        rows = [row for row in range(height) if before[row] is not self._painted[row]]
        if rows:
            self.refresh(Region(0, rows[0], width, rows[-1] + 1 - rows[0]))

    def _draw_end(self) -> None:
        room, position = 2 * self.size.height, len(self.roll)
        while position and room > 0:
            position -= 1
            self.roll.measure([position])
            room -= self.roll.top(position + 1) - self.roll.top(position)

    def _draw_around(self) -> None:
        """A screen above the view and one below it, with the first line of the view kept where it is."""
        line, height = int(self.scroll_y), self.size.height
        anchor = self.roll.at(line)
        offset = line - self.roll.top(anchor)
        changes = True
        while changes:
            top = self.roll.top(anchor) + offset
            first, last = self.roll.at(top - height), self.roll.at(top + 2 * height)
            changes = self.roll.measure(range(first, last + 1))
        offset = min(offset, self.roll.top(anchor + 1) - self.roll.top(anchor))
        self._resize()
        self._put_at(self.roll.top(anchor) + offset)

    def _resize(self) -> None:
        """As setting virtual_size would, without laying out the whole screen for every line of a growing reply."""
        size = Size(self.size.width, self.roll.height)
        if size != self.virtual_size:
            self.set_reactive(Widget.virtual_size, size)
            self.vertical_scrollbar.window_virtual_size = size.height

    def _put_at(self, line: float) -> None:
        self.scroll_y = self.scroll_target_y = max(0, min(line, self.max_scroll_y))

    def _tell_place(self) -> None:
        if not len(self.roll):
            return
        top = int(self.scroll_y)
        first, last = self.roll.at(top), self.roll.at(top + self.size.height - 1)
        later = 0 if self._follows else len(self.roll) - 1 - last
        place = PlaceChanged(first, later, is_at_end=self._follows)
        if place != self._place and not (self._follows and self._place and self._place.is_at_end):
            self._place = place
            self.post_message(place)

    def scroll_to(self, x: float | None = None, y: float | None = None, **options: Any) -> None:
        """Without gliding: a glide would end where lines were before heights became known."""
        super().scroll_to(x, y, **{**options, "animate": False})

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if not self._is_settling:
            self._follows = new_value >= self.max_scroll_y
            self._settle()

    def on_resize(self) -> None:
        self._settle()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()
        self.refresh()

    # Selecting

    def action_select(self, step: int) -> None:
        """From the prompt, the last message is the first to be selected."""
        if not len(self.roll):
            return
        start = len(self.roll) if self.selected is None else self.selected
        self.select(max(0, min(len(self.roll) - 1, start + step)))

    def select(self, position: int) -> None:
        self.selected = position
        self.focus(scroll_visible=False)
        self.roll.measure([position])
        self._resize()
        top, bottom, height = self.roll.top(position), self.roll.top(position + 1), self.size.height
        if top < self.scroll_y or bottom > self.scroll_y + height:
            self.scroll_to(y=max(top, bottom - height) if top >= self.scroll_y else min(top, bottom - height // 2))

    def watch_selected(self) -> None:
        self.refresh()
        self.refresh_bindings()

    def on_blur(self) -> None:
        self.selected = None

    def on_focus(self) -> None:
        if self.selected is None and len(self.roll):
            self.selected = self.roll.at(int(self.scroll_y) + self.size.height - 1)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action != "act":
            return True
        entry = self.chosen
        return entry is not None and str(parameters[0]) in _acts(entry, is_last=entry is self.roll[len(self.roll) - 1])

    def action_act(self, act: str) -> None:
        if self.selected is not None:
            self.post_message(MessageActed(act, self.selected))

    def action_leave(self) -> None:
        self.post_message(MessageActed("leave", self.selected or 0))

    def on_click(self, event: events.Click) -> None:
        line = event.y + self.scroll_offset.y
        if not len(self.roll) or line >= self.roll.height or self.text_selection is not None:
            return
        self.select(self.roll.at(line))
        if act := event.style.meta.get("act"):
            self.action_act(act)

    # Drawing

    def render_lines(self, crop: Region) -> list[Strip]:
        """Straight from what is drawn: there is no border or padding for the style cache to put around it."""
        _, background = self.background_colors
        filters = self.get_line_filters()
        strips = []
        for y in crop.line_range:
            strip = self.render_line(y)
            for each in filters:
                strip = strip.apply_filter(each, background)
            strips.append(strip.crop(*crop.column_span))
        return strips

    def render_line(self, y: int) -> Strip:
        line = y + int(self.scroll_y)
        content = self._line(line)
        if content is None or not self.is_attached:  # on its way out it may be drawn once more
            return Strip.blank(self._line_width, self.rich_style)
        position = self.roll.at(line)
        bar, ground = self._setting(self.roll[position], position, line - self.roll.top(position))
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(line)) is not None:
            end = len(content) if span[1] == -1 else span[1]
            content = content.stylize(self.screen.get_visual_style("screen--selection"), span[0], end)
            return self._strip(content, bar, ground).apply_offsets(-_GUTTER, line)
        key = (id(content), bar, ground)
        kept = self._strips.get(key)
        if kept is None or kept[0] is not content:
            if len(self._strips) > _MOST_STRIPS:
                self._strips.clear()
            kept = self._strips[key] = (content, self._strip(content, bar, ground))
        return kept[1].apply_offsets(-_GUTTER, line)

    def _strip(self, content: Content, bar: str, ground: str) -> Strip:
        padded = content.pad_right(self._line_width - _GUTTER - content.cell_length)
        whole = Content.assemble((bar, "bold $primary"), padded).stylize_before(ground)
        return Strip(whole.render_segments(self.visual_style), self._line_width)

    def _line(self, line: int) -> Content | None:
        if not self._text_width or not 0 <= line < self.roll.height:
            return None
        position = self.roll.at(line)
        lines, row = self.roll[position].lines(self._text_width), line - self.roll.top(position)
        return lines[row] if row < len(lines) else None

    def _setting(self, entry: Entry, position: int, row: int) -> tuple[str, str]:
        """The bar at the left of a line, and what it stands on."""
        if row < entry.lines_above:
            return _NO_BAR, ""
        if position == self.selected:
            return _SELECTED_BAR, "on $primary 8%"
        return (_BAR, "on $surface") if entry.is_user else (_NO_BAR, "")

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        start = selection.start.y if selection.start else 0
        end = selection.end.y if selection.end else self.roll.height - 1
        lines = []
        for line in range(start, min(end, self.roll.height - 1) + 1):
            text = (self._line(line) or _BLANK).plain
            span = selection.get_span(line) or (0, -1)
            lines.append(text[span[0] : len(text) if span[1] == -1 else span[1]].rstrip())
        return "\n".join(lines), "\n"


def _acts(entry: Entry, *, is_last: bool) -> Iterable[str]:
    """What can be done with a message."""
    yield "copy"
    if is_last and entry.can_regenerate:
        yield "regenerate"
    if entry.index is not None and entry.branch.count > 1:
        yield from ("previous", "next")
    if entry.is_user:
        if entry.index is not None:
            yield "edit"
        return
    if entry.code_blocks:
        yield "copy_code"
    if entry.has_thought:
        yield "fold"
    if is_last and entry.index is not None and entry.can_go_on:
        yield "go_on"
