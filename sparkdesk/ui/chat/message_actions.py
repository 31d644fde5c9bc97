"""What can be done with messages: send, edit, make again, go on, select, copy, switch versions, show token sources."""

from collections.abc import Sequence
from functools import partial

from sparkdesk.chat.messages import Message
from sparkdesk.safe_text import safe_text
from sparkdesk.ui.chat.composer import Submitted
from sparkdesk.ui.chat.messages import MessageActed
from sparkdesk.ui.chat.protocol import ChatBackend, Conversation
from sparkdesk.ui.chat.reply_controller import ReplyController
from sparkdesk.ui.chat.state import Stage, why_bench_first
from sparkdesk.ui.chat.view import ChatView
from sparkdesk.ui.keys import key_name

_CONTROLS = "It contains control characters: do not paste it into a terminal."


class MessageActions:
    """Of the conversation that is open."""

    def __init__(self, view: ChatView, backend: ChatBackend, replies: ReplyController) -> None:
        self._view, self._backend, self._replies = view, backend, replies
        self._transcript, self._composer = view.transcript, view.composer
        self._shows_thoughts = False
        self.shows_origins = False
        """Of all replies."""

    @property
    def _conversation(self) -> Conversation:
        return self._backend.conversation

    # Making replies

    async def send(self, message: Submitted) -> None:
        """As a new message, or as another version of an earlier one."""
        if not self._can_reply():
            return
        conversation, text, index = self._conversation, message.text, message.edits
        self._composer.accept(message)
        if index is None:
            await self._transcript.begin_turn(text, message.attachments, len(conversation.messages))
            self._replies.stream(lambda: conversation.reply(text, message.attachments))
        else:
            await self._transcript.begin_turn(text, conversation.messages[index].attachments, index)
            self._replies.stream(lambda: conversation.edit(index, text))

    async def regenerate(self) -> None:
        kept = self._conversation.messages
        if not kept:
            self._view.notify("There is no reply yet.", severity="warning")
        elif self._can_reply():
            self._composer.editing = None
            is_answered = kept[-1].role == "assistant"
            await self._transcript.begin_reply(len(kept) - is_answered)
            self._replies.stream(self._conversation.regenerate)

    async def go_on(self) -> None:
        last = self._last_reply()
        if last is None or not (last.is_partial or last.note):
            self._view.notify("The last reply is complete.", severity="warning")
        elif self._can_reply():
            self._composer.editing = None
            self._transcript.newest.go_on()
            self._replies.stream(self._conversation.go_on)

    def edit(self, index: int) -> None:
        self._composer.edit(index, self._conversation.messages[index].content)

    def _can_reply(self) -> bool:
        """When not, the user is told why."""
        key = partial(key_name, self._view)
        why_not = self._view.stage.why_not_send(key) or (why_bench_first(key) if self._backend.is_measuring else "")
        if why_not:
            self._view.notify(why_not, severity="warning")
        return not why_not

    def _last_reply(self) -> Message | None:
        kept = self._conversation.messages
        return kept[-1] if kept and kept[-1].role == "assistant" else None

    # The selected message

    def select(self, step: int) -> None:
        shown = self._transcript.messages
        if shown is not None:
            shown.action_select(step)

    async def act(self, message: MessageActed) -> None:
        shown = self._transcript.messages
        if shown is None or message.position >= len(shown.roll):
            return
        match message.act:
            case "leave":
                self._composer.prompt.focus()
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
        if self._view.stage is Stage.REPLYING:
            self._can_reply()
            return
        conversation, shown, model = self._conversation, self._transcript.messages, self._view.model
        conversation.switch_branch(index, step)
        if shown is not None:
            shown.replace(index, conversation.messages, conversation.branch, model=model.name if model else "")

    # Copying

    def copy_reply(self) -> None:
        if self._transcript.has_turns:
            self._copy(self._transcript.newest.answer, "Copied the last reply.")

    def _copy_code(self, blocks: Sequence[str]) -> None:
        if len(blocks) < 2:
            self._copy(blocks[0] if blocks else "", "Copied the code.")
            return
        from sparkdesk.ui.chat.dialogs.code_choice import CodeChoice

        choice = CodeChoice(blocks)
        self._view.app.push_screen(choice, lambda code: self._copy(code or "", "Copied the code."))

    def _copy(self, text: str, words: str) -> None:
        if text:
            self._view.app.copy_to_clipboard(text)
            if safe_text(text) == text.replace("\r\n", "\n"):
                self._view.notify(words, timeout=2)
            else:
                self._view.notify(f"{words} {_CONTROLS}", severity="warning", timeout=8)

    # What is shown of them

    def toggle_thoughts(self) -> None:
        self._shows_thoughts = not self._shows_thoughts
        self._transcript.unfold_thoughts(self._shows_thoughts)

    def toggle_origins(self) -> None:
        """Of the selected reply, or of all."""
        shown = self._transcript.messages
        chosen = shown.chosen if shown is not None else None
        if shown is not None and chosen is not None and not chosen.is_user:
            chosen.toggle_origins()
            shown.redraw(keeps_place=True)
            return
        self.shows_origins = not self.shows_origins
        self._transcript.show_origins(self.shows_origins)
        if self.shows_origins and not self._transcript.has_turns:
            key = key_name(self._view, "chat.origins")
            self._view.notify(f"Replies will show their token sources. {key} ends that.", timeout=3)
