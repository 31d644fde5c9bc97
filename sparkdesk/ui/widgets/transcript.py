"""The conversation on screen. Follows the newest line until the user scrolls up."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.widget import Widget

if TYPE_CHECKING:
    from sparkdesk.ui.widgets.message import ReplyMessage


_FAR_SCREENS = 2


class Transcript(VerticalScroll):
    """Shows one view (opening, empty) or messages."""

    async def show_view(self, view: Widget) -> None:
        """Replace everything by one view."""
        self.anchor(False)
        self.add_class("-view")
        await self.remove_children()
        if not self.is_attached:  # the program is being left
            return
        await self.mount(view)
        # An anchor holds short messages at the bottom by scrolling below zero, and leaves it at that when it is gone.
        self.scroll_to(y=0, animate=False, immediate=True, force=True)

    async def add_turn(self, text: str, *, shows_thought: bool) -> ReplyMessage:
        """The user's words and the reply that is to come."""
        # Markdown takes a fifth of the start-up time to import, and the empty screen needs none.
        from sparkdesk.ui.widgets.message import ReplyMessage, UserMessage

        if not self.has_turns:
            await self.remove_children()
            self.remove_class("-view")
        reply = ReplyMessage(shows_thought=shows_thought)
        await self.mount(UserMessage(text), reply)
        self.anchor()
        # An anchored view scrolls without telling its watcher, so what lies above is looked at here.
        self.call_after_refresh(self._rest_what_is_far)
        return reply

    @property
    def newest(self) -> ReplyMessage:
        """The last reply; there is one once a turn was added."""
        return self._replies()[-1]

    @property
    def has_turns(self) -> bool:
        return bool(self._replies())

    def follow(self) -> None:
        """The newest reply has grown: what it pushed far up needs no layout, unless someone is looking there."""
        if self.scroll_y >= self.max_scroll_y:
            top = int(self.scroll_y) - _FAR_SCREENS * self.size.height
            self.newest.hide_above(top - self.newest.virtual_region.y)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._rest_what_is_far()

    def on_resize(self) -> None:
        """Places kept for resting replies were measured at the old width."""
        for reply in self._replies():
            reply.wake()
        self.call_after_refresh(self._rest_what_is_far)

    def _rest_what_is_far(self) -> None:
        screens = _FAR_SCREENS * self.size.height
        top, bottom = self.scroll_y - screens, self.scroll_y + self.size.height + screens
        for reply in self._replies():
            place = reply.virtual_region
            if place.bottom < top or place.y > bottom:
                reply.rest()
            else:
                reply.wake()

    def _replies(self) -> list[ReplyMessage]:
        if "sparkdesk.ui.widgets.message" not in sys.modules:  # asked before the first reply: do not import for that
            return []
        from sparkdesk.ui.widgets.message import ReplyMessage

        return [child for child in self.children if isinstance(child, ReplyMessage)]  # a query walks every part

    def unfold_thoughts(self, is_unfolded: bool) -> None:
        for reply in self._replies():
            reply.unfold(is_unfolded)
