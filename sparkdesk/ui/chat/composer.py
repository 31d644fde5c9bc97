"""The part of the chat screen where a message is made ready: attached files, and what it would take to send."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.timer import Timer
from textual.widgets import TextArea

from sparkdesk.chat.messages import Attachment
from sparkdesk.chat.summary import Count
from sparkdesk.errors import ContextFull, SparkDeskError
from sparkdesk.ui import messages
from sparkdesk.ui.chat.conversations import KeepingScreen
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.token_count import TROUBLE, count_line
from sparkdesk.ui.chat.widgets.attachment_chips import AttachmentChips, ChipRemoved
from sparkdesk.ui.chat.widgets.prompt import Prompt
from sparkdesk.ui.desk import Desk
from sparkdesk.ui.keys import key_name

COUNT_AFTER_S = 0.3
"""Of no typing."""


@dataclass
class Counted(Message):
    """What sending would take."""

    text: str
    attachments: tuple[Attachment, ...]
    count: Count | None
    """None where it could not be told."""
    sizes: Mapping[Attachment, int]
    trouble: str = ""


class ComposingScreen(KeepingScreen):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+o", "attach", "Attach", id="chat.attach", show=False, tooltip="Attach a text file to the message"
        ),
    ]

    attachments: reactive[tuple[Attachment, ...]] = reactive((), init=False)
    count: reactive[Count | None] = reactive(None, init=False)
    """Of the message at the prompt; None where nothing is known."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._count_timer: Timer | None = None
        self._is_counting = False
        self._was_asked_meanwhile = False
        self._sizes: dict[Attachment, int] = {}
        self._offered: tuple[str, Path] | None = None
        """A pasted text that is the path of a file."""
        self._count_trouble = ""
        self._has_words = False
        self._sent: tuple[Attachment, ...] = ()

    # Attaching

    def action_attach(self) -> None:
        from sparkdesk.ui.chat.dialogs.attach import AttachScreen

        offer = self._offer()
        if offer is not None:
            self._attach_pasted(*offer)
            return
        self.app.push_screen(AttachScreen(home=Path.home(), here=Path.cwd()), self.attach)

    def attach(self, attachment: Attachment | None) -> None:
        if attachment is None or attachment in self.attachments:
            return
        self.attachments = (*self.attachments, attachment)
        self.focus_prompt()

    @work(exclusive=True, group="attach", exit_on_error=False)
    async def _attach_pasted(self, text: str, path: Path) -> None:
        from sparkdesk.ui.chat.attachments import read_attachment

        try:
            attachment = await asyncio.to_thread(read_attachment, path)
        except SparkDeskError as error:
            self.notify(str(error), severity="warning")
            return
        prompt = self.query_one(Prompt)
        prompt.show(prompt.text.replace(text, "", 1).strip())
        self.attach(attachment)

    @on(messages.Pasted)
    def look_at_paste(self, message: messages.Pasted) -> None:
        from sparkdesk.ui.chat.attachments import pasted_path

        path = pasted_path(message.text, home=Path.home(), here=Path.cwd())
        self._offered = (message.text.strip(), path) if path else None
        self._say_count()

    def _offer(self) -> tuple[str, Path] | None:
        """As long as the path stands at the prompt."""
        if self._offered is not None and self._offered[0] not in self.query_one(Prompt).text:
            self._offered = None
        return self._offered

    @on(ChipRemoved)
    def take_off(self, message: ChipRemoved) -> None:
        self.attachments = self.attachments[: message.index] + self.attachments[message.index + 1 :]
        self.focus_prompt()

    @on(messages.LastChipUnwanted)
    def take_last_off(self) -> None:
        self.attachments = self.attachments[:-1]

    def watch_attachments(self, attachments: tuple[Attachment, ...]) -> None:
        self.query_one(AttachmentChips).attachments = attachments
        self.count_soon()

    def take_attachments(self) -> tuple[Attachment, ...]:
        self._sent, self.attachments = self.attachments, ()
        return self._sent

    def give_attachments_back(self) -> None:
        self.attachments = self.attachments or self._sent

    # Counting

    @on(TextArea.Changed)
    def follow_prompt(self) -> None:
        if self._offered is not None:
            self._say_count()
        self.count_soon()

    def count_soon(self) -> None:
        if self._count_timer is not None:
            self._count_timer.stop()
        self._count_timer = self.set_timer(COUNT_AFTER_S, self.count_now)

    def count_now(self) -> None:
        """Not while a reply is in the making, which changes what there is to count, nor in a measurement. One at a
        time: a long text takes a while, and the engine has other things to do."""
        if self._is_counting:
            self._was_asked_meanwhile = True
        elif self.stage is Stage.READY and not self.desk.is_measuring:
            self._is_counting = True
            self._count(self.query_one(Prompt).text.strip(), self.attachments)

    @work(thread=True, group="count", exit_on_error=False)
    def _count(self, text: str, attachments: tuple[Attachment, ...]) -> None:
        conversation = self.desk.conversation
        count, sizes, trouble = None, {}, ""
        try:
            if text or attachments or conversation.messages:
                count = conversation.count(text, attachments)
            for each in attachments:
                if each not in self._sizes:
                    sizes[each] = conversation.count(text, (each,)).text_tokens - conversation.count(text).text_tokens
        except ContextFull as error:
            trouble = error.message
        except SparkDeskError:
            pass  # whatever it is, sending will say it
        finally:
            self.post_message(Counted(text, attachments, count, sizes, trouble))

    @on(Counted)
    def show_count(self, message: Counted) -> None:
        self._is_counting = False
        self._sizes |= message.sizes
        self.query_one(AttachmentChips).sizes = dict(self._sizes)
        if self._was_asked_meanwhile:
            self._was_asked_meanwhile = False
            self.count_soon()
        if self.stage is Stage.REPLYING:
            return
        self._count_trouble = message.trouble
        self._has_words = bool(message.text or message.attachments)
        self.count = message.count
        self._say_count()

    def forget_count(self) -> None:
        """It was of a message that is on its way now."""
        self.count, self._count_trouble = None, ""
        self._say_count()

    def _say_count(self) -> None:
        offer, count = self._offer(), self.count
        line = Content("")
        if offer is not None:
            line = Content.assemble(
                (key_name(self, "chat.attach"), "bold $primary"), f" attaches {offer[1].name} instead of its path"
            )
        elif self._count_trouble:
            line = Content.styled(self._count_trouble, TROUBLE)
        elif count is not None:
            line = Content.styled(*count_line(count, has_words=self._has_words))
        self.query_one(Prompt).border_subtitle = line
