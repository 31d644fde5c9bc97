"""The conversation on screen: one view (opening, empty), or messages and a line that says where in them one is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from sparkdesk.chat.messages import Attachment, Branch, Message
from sparkdesk.chat.trace import RoundMark, Stretch
from sparkdesk.ui.chat.messages import NewestWanted, PlaceChanged
from sparkdesk.ui.chat.widgets.empty import EmptyConversation
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.shared import numbers

if TYPE_CHECKING:
    from sparkdesk.engine.model_info import ModelInfo
    from sparkdesk.ui.chat.message_lines import Entry, ReplyEntry
    from sparkdesk.ui.chat.widgets.message_list import MessageList


class ScrollPosition(Static):
    """Where in a conversation one is, while that is not its end."""

    def tell(self, place: PlaceChanged) -> None:
        self.display = not place.is_at_end
        if place.is_at_end:
            return
        earlier = f"↑ {numbers.grouped(place.earlier)} earlier message{'s' * (place.earlier != 1)}"
        parts = (
            earlier if place.earlier else "",
            f"↓ {numbers.grouped(place.later)} later" if place.later else "↓ more of this message",
            f"{key_name(self, 'chat.newest')} goes to the newest",
        )
        self.update(" · ".join(part for part in parts if part))

    def on_click(self) -> None:
        self.post_message(NewestWanted())


class Transcript(Vertical):
    def __init__(self, *children: Widget, classes: str | None = None) -> None:
        super().__init__(*children, classes=classes)
        self._messages: MessageList | None = None
        self._unfolds = self._shows_origins = False

    # Views

    async def show_view(self, view: Widget) -> None:
        """Replace everything by one view."""
        self.add_class("-view")
        self._messages = None
        await self.remove_children()
        if self.is_attached:  # else the program is being left
            await self.mount(view)

    async def show_empty(self, model: ModelInfo | None, examples: tuple[str, ...], *, problem: str) -> None:
        """A conversation without messages: what is loaded, and what to try."""
        if model is None:
            words = "A new conversation, and no model to answer yet."
            await self.show_view(Static(words, classes="lead"))
        else:
            await self.show_view(EmptyConversation(model, examples, problem=problem))

    async def show_messages(
        self,
        messages: Sequence[Message],
        branch_of: Callable[[int], Branch] = lambda index: Branch(1, 1),
        *,
        model: str = "",
        left_out: int = 0,
    ) -> None:
        """A conversation as it is kept. `model` is what is loaded: another one's name is told below its replies."""
        from sparkdesk.ui.chat.message_layout import MessageLayout

        roll = MessageLayout(self._prepare)
        roll.extend(messages, branch_of, model=model)
        roll.cut(left_out)
        (await self._begun()).show(roll)

    async def begin_turn(self, text: str, attachments: Sequence[Attachment], index: int) -> None:
        """The user's words as message number `index`, and the reply that is to come. What was there is forgotten."""
        from sparkdesk.ui.chat.message_lines import ReplyEntry, UserEntry

        await self._replace(index, UserEntry(text, attachments), ReplyEntry())

    async def begin_reply(self, index: int) -> None:
        """A reply as message number `index`, in the place of what was there."""
        from sparkdesk.ui.chat.message_lines import ReplyEntry

        await self._replace(index, ReplyEntry())

    @property
    def messages(self) -> MessageList | None:
        return self._messages

    @property
    def count(self) -> int:
        """Messages that are shown, kept or not."""
        return len(self._messages.roll) if self._messages is not None else 0

    @property
    def has_turns(self) -> bool:
        return self.count > 0

    @property
    def newest(self) -> ReplyEntry:
        """The last reply; there is one once a turn was begun."""
        from sparkdesk.ui.chat.message_lines import ReplyEntry

        assert self._messages is not None
        entry = self._messages.roll[len(self._messages.roll) - 1]
        assert isinstance(entry, ReplyEntry)
        return entry

    @property
    def asked(self) -> str:
        """The words that the newest reply answers."""
        assert self._messages is not None
        return self._messages.roll[len(self._messages.roll) - 2].text if self.count > 1 else ""

    # The newest reply

    def write(self, text: str, stretches: Sequence[Stretch], rounds: Sequence[RoundMark]) -> None:
        self.newest.write(text, stretches, rounds)

    def know(self, messages: Sequence[Message], branch_of: Callable[[int], Branch]) -> None:
        """What the conversation has kept now that the reply is over; that decides what can be done with it."""
        if self._messages is not None:
            for position in range(max(0, len(self._messages.roll) - 2), len(self._messages.roll)):
                is_kept = position < len(messages)
                entry = self._messages.roll[position]
                entry.know(position if is_kept else None, branch_of(position) if is_kept else Branch(1, 1))
                if not entry.is_user:
                    entry.can_regenerate = position <= len(messages)
                if is_kept and isinstance(entry, type(self.newest)):
                    entry.know_reply(messages[position])
            self._messages.redraw()

    def redraw(self) -> None:
        """Entries have changed."""
        if self._messages is not None:
            self._messages.redraw()

    def cut(self, left_out: int) -> None:
        """The model reads from that message on."""
        if self._messages is not None:
            self._messages.roll.cut(left_out)
            self._messages.redraw()

    # How messages are shown

    def unfold_thoughts(self, is_unfolded: bool) -> None:
        self._unfolds = is_unfolded
        self._prepare_again()

    def show_origins(self, shows_origins: bool) -> None:
        self._shows_origins = shows_origins
        self._prepare_again(keeps_place=True)

    async def _replace(self, index: int, *entries: Entry) -> None:
        shown = await self._begun()
        shown.truncate(index)
        for entry in entries:
            self._prepare(entry)
            shown.append(entry)

    def _prepare(self, entry: Entry) -> None:
        entry.is_folded = not self._unfolds
        entry.shows_origins = self._shows_origins
        entry.changed()

    def _prepare_again(self, *, keeps_place: bool = False) -> None:
        if self._messages is not None:
            for entry in self._messages.roll.made():
                self._prepare(entry)
            self._messages.redraw(keeps_place=keeps_place)

    # Moving

    def scroll_pages(self, pages: int) -> None:
        if self._messages is not None:
            self._messages.scroll_relative(y=pages * self._messages.size.height, animate=False)

    @on(NewestWanted)
    def go_to_newest(self) -> None:
        if self._messages is not None:
            self._messages.go_to_newest()

    @on(PlaceChanged)
    def tell_place(self, message: PlaceChanged) -> None:
        for line in self.query(ScrollPosition):
            line.tell(message)

    async def _begun(self) -> MessageList:
        # Markdown takes a fifth of the start-up time to import, and the empty screen needs none.
        from sparkdesk.ui.chat.widgets.message_list import MessageList

        if self._messages is None:
            self._messages = MessageList()
            self.remove_class("-view")
            await self.remove_children()
            await self.mount(self._messages, ScrollPosition())
        return self._messages
