"""The conversation on screen. Follows the newest line until the user scrolls up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.widget import Widget

if TYPE_CHECKING:
    from sparkdesk.ui.widgets.message import ReplyMessage


class Transcript(VerticalScroll):
    """Shows one view (opening, empty) or messages."""

    async def show_view(self, view: Widget) -> None:
        """Replace everything by one view."""
        self.anchor(False)
        self.add_class("-view")
        await self.remove_children()
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
        return reply

    @property
    def newest(self) -> ReplyMessage:
        """The last reply; there is one once a turn was added."""
        from sparkdesk.ui.widgets.message import ReplyMessage

        return self.query(ReplyMessage).last()

    @property
    def has_turns(self) -> bool:
        return bool(self.query("ReplyMessage"))

    def unfold_thoughts(self, is_unfolded: bool) -> None:
        from sparkdesk.ui.widgets.message import ReplyMessage

        for reply in self.query(ReplyMessage):
            reply.unfold(is_unfolded)
