"""The part of the chat screen that does things with messages: select, edit, make again, go on, copy, other versions."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.reactive import reactive

from sparkdesk.chat.messages import Message
from sparkdesk.ui import messages
from sparkdesk.ui.chat.generation_settings import ChoosingScreen
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.widgets.prompt import Prompt
from sparkdesk.ui.chat.widgets.transcript import Transcript
from sparkdesk.ui.desk import Desk
from sparkdesk.ui.keys import key_name


class ActingScreen(ChoosingScreen):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "alt+up",
            "select_message(-1)",
            "Messages",
            tooltip="Select the message above: keys for it are shown below",
            id="chat.select_above",
        ),
        Binding(
            "alt+down",
            "select_message(1)",
            "Select below",
            show=False,
            tooltip="Select the message below",
            id="chat.select_below",
        ),
        Binding(
            "alt+end",
            "go_to_newest",
            "Newest",
            show=False,
            tooltip="Go to the end of the conversation",
            id="chat.newest",
        ),
        Binding(
            "ctrl+g",
            "toggle_origins",
            "Origins",
            tooltip="Show where tokens came from: of the selected reply, or of all",
            id="chat.origins",
        ),
    ]

    shows_origins: reactive[bool] = reactive(False, init=False, repaint=False)
    editing: reactive[int | None] = reactive(None, init=False, repaint=False)
    """Which of the user's messages is in the prompt, to be asked differently."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._unsent = ""
        self._edited: int | None = None
        """Which message the reply in the making is another version of."""

    # Beginning a reply

    async def begin(self, text: str) -> None:
        index = self._edited = self.editing
        if index is None:
            await super().begin(text)
            return
        self.editing = None
        attachments = self.desk.conversation.messages[index].attachments
        await self.query_one(Transcript).begin_turn(text, attachments, index)
        self.stream(lambda: self.desk.conversation.edit(index, text), text)

    def words_came_back(self) -> None:
        self.editing = self._edited

    async def regenerate(self) -> None:
        kept = self.desk.conversation.messages
        if not kept:
            self.notify("There is no reply yet.", severity="warning")
        elif self.can_reply():
            self.editing = None
            is_answered = kept[-1].role == "assistant"
            await self.query_one(Transcript).begin_reply(len(kept) - is_answered)
            self.stream(self.desk.conversation.regenerate)

    async def go_on(self) -> None:
        last = self._last_reply()
        if last is None or not (last.is_partial or last.note):
            self.notify("The last reply is complete.", severity="warning")
        elif self.can_reply():
            self.editing = None
            self.query_one(Transcript).newest.go_on()
            self.stream(self.desk.conversation.go_on)

    def edit(self, index: int) -> None:
        """Into the prompt with it; what was written there comes back afterwards."""
        prompt = self.query_one(Prompt)
        if self.editing is None:
            self._unsent = prompt.text
        self.editing = index
        prompt.show(self.desk.conversation.messages[index].content)
        prompt.focus()

    @on(messages.EditLeft)
    def leave_editing(self) -> None:
        self.editing = None
        self.query_one(Prompt).show(self._unsent)

    def watch_editing(self, index: int | None) -> None:
        self.query_one(Prompt).is_editing = index is not None

    # Messages

    def action_select_message(self, step: int) -> None:
        shown = self.query_one(Transcript).messages
        if shown is not None:
            shown.action_select(step)

    @on(messages.NewestWanted)
    def action_go_to_newest(self) -> None:
        self.query_one(Transcript).go_to_newest()

    @on(messages.MessageActed)
    async def act(self, message: messages.MessageActed) -> None:
        shown = self.query_one(Transcript).messages
        if shown is None or message.position >= len(shown.roll):
            return
        match message.act:
            case "leave":
                self.query_one(Prompt).focus()
            case "edit":
                self.edit(message.position)
            case "regenerate":
                await self.regenerate()
            case "go_on":
                await self.go_on()
            case "copy":
                self._copy(shown.roll[message.position].answer, "Copied the message.")
            case "copy_code":
                self._copy_code(shown.roll[message.position].code_blocks)
            case "fold":
                shown.roll[message.position].fold()
                shown.redraw()
            case "previous" | "next":
                self._switch_version(message.position, 1 if message.act == "next" else -1)

    def _switch_version(self, index: int, step: int) -> None:
        if self.stage is Stage.REPLYING:
            self.can_reply()
            return
        conversation, shown = self.desk.conversation, self.query_one(Transcript).messages
        conversation.switch_branch(index, step)
        if shown is not None:
            shown.replace(
                index, conversation.messages, conversation.branch, model=self.model.name if self.model else ""
            )

    def _copy_code(self, blocks: Sequence[str]) -> None:
        if len(blocks) < 2:
            self._copy(blocks[0] if blocks else "", "Copied the code.")
            return
        from sparkdesk.ui.chat.dialogs.code_choice import CodeChoice

        self.app.push_screen(CodeChoice(blocks), lambda code: self._copy(code or "", "Copied the code."))

    def _copy(self, text: str, words: str) -> None:
        if text:
            self.app.copy_to_clipboard(text)
            self.notify(words, timeout=2)

    def _last_reply(self) -> Message | None:
        kept = self.desk.conversation.messages
        return kept[-1] if kept and kept[-1].role == "assistant" else None

    # Where tokens came from

    def action_toggle_origins(self) -> None:
        shown = self.query_one(Transcript).messages
        chosen = shown.chosen if shown is not None else None
        if shown is not None and chosen is not None and not chosen.is_user:
            chosen.toggle_origins()
            shown.redraw()
        else:
            self.shows_origins = not self.shows_origins
            key = key_name(self, "chat.origins")
            if self.shows_origins and not self.query_one(Transcript).has_turns:
                self.notify(f"Replies will show where their tokens came from. {key} ends that.", timeout=3)

    def watch_shows_origins(self, shows_origins: bool) -> None:
        self.query_one(Transcript).show_origins(shows_origins)
