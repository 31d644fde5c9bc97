"""Where a message is made ready: the prompt, attached files, an earlier message to edit, what sending would take."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.timer import Timer
from textual.widgets import TextArea

from sparkdesk.chat.messages import Attachment
from sparkdesk.chat.summary import Count
from sparkdesk.errors import ContextFull, SparkDeskError
from sparkdesk.local_path import home_folder
from sparkdesk.safe_text import safe_line
from sparkdesk.ui.chat.protocol import ChatBackend
from sparkdesk.ui.chat.slash_commands import command_in
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.status_lines import TROUBLE, count_line
from sparkdesk.ui.chat.widgets.attachment_chips import AttachmentChips, ChipRemoved
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.shared.background import in_background
from sparkdesk.ui.shared.prompt import EditLeft, LastChipUnwanted, Pasted, Prompt, PromptSent

COUNT_AFTER_S = 0.3
"""Of no typing."""


@dataclass
class Submitted(Message):
    """The user wants this message answered. It stays in the composer until it is accepted."""

    text: str
    attachments: tuple[Attachment, ...] = ()
    edits: int | None = None
    """Which of the user's messages it is another version of; that one's attachments go with it then."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """What sending would take."""

    has_words: bool
    count: Count | None
    """None where it could not be told."""
    sizes: Mapping[Attachment, int]
    trouble: str = ""


class Composer(Vertical):
    """Posts Submitted."""

    stage: reactive[Stage] = reactive(Stage.LOADING, init=False, repaint=False)
    attachments: reactive[tuple[Attachment, ...]] = reactive((), init=False, repaint=False)
    editing: reactive[int | None] = reactive(None, init=False, repaint=False)
    """Which of the user's messages is in the prompt, to be asked differently."""
    count: reactive[Count | None] = reactive(None, init=False, repaint=False)
    """Of the message at the prompt; None where nothing is known."""

    def __init__(self, backend: ChatBackend) -> None:
        super().__init__()
        self._backend = backend
        self._held = ""
        """Sent while there was no model yet."""
        self._accepted: Submitted | None = None
        """What a reply is being made to."""
        self._unsent = ""
        """What stood at the prompt before an earlier message came there."""
        self._offered: tuple[str, Path] | None = None
        """A pasted text that is the path of a file."""
        self._count_timer: Timer | None = None
        self._is_counting = self._was_asked_meanwhile = False
        self._sizes: dict[Attachment, int] = {}
        self._count_trouble = ""
        self._has_words = False

    def compose(self) -> ComposeResult:
        yield AttachmentChips()
        yield Prompt()

    @property
    def prompt(self) -> Prompt:
        return self.query_one(Prompt)

    # Sending

    @on(PromptSent)
    def submit_prompt(self, message: PromptSent) -> None:
        message.stop()
        self.submit(message.text)

    def submit(self, text: str) -> None:
        if self.editing is None and (command := command_in(text)):
            self.clear()
            self.screen.post_message(command)
            return
        # To the screen at once: what a handler above brings about does not go up beyond it.
        self.screen.post_message(Submitted(text, self.attachments, self.editing))

    def hold(self, text: str) -> None:
        """It cannot be answered yet."""
        self._held = text

    def submit_held(self) -> None:
        """If it still stands there as it was."""
        held, self._held = self._held, ""
        if held and self.prompt.text.strip() == held:
            self.submit(held)

    def accept(self, message: Submitted) -> None:
        """A reply is being made: there is room for the next message."""
        self._accepted, self._held = message, ""
        self.prompt.accept(message.text)
        self.prompt.examples = ()
        self.prompt.focus()
        self.editing = None
        if message.edits is None:
            self.attachments = ()

    def end_reply(self, *, is_unanswered: bool) -> None:
        """What nothing came of goes back to where it can be changed."""
        accepted, self._accepted = self._accepted, None
        if accepted is not None and is_unanswered and not self.prompt.text:
            self.prompt.show(accepted.text)
            self.editing = accepted.edits
            if accepted.edits is None:
                self.attachments = self.attachments or accepted.attachments

    def clear(self) -> bool:
        """Take off what is written and attached; Up brings the words back. Returns whether there was any."""
        text, has_any = self.prompt.text, bool(self.prompt.text or self.attachments)
        if self.editing is not None:
            self.leave_editing()
        elif text:
            self.prompt.accept(text.strip())
            self.prompt.clear()
        self.attachments = ()
        return has_any

    def open_editor(self) -> None:
        """The message in the user's own editor; what is saved there stands at the prompt then."""
        from sparkdesk.ui.chat.external_editor import edited

        try:
            text = edited(self.prompt.text, self.app)
        except SparkDeskError as error:
            self.notify(str(error), severity="warning", markup=False)
        else:
            self.prompt.show(text)
            self.prompt.focus()

    def begin_conversation(self, examples: tuple[str, ...] = ()) -> None:
        """Another one is open; `examples` are prompts to begin it with."""
        self.leave_editing()
        self.prompt.examples = examples
        self.count_soon()

    # An earlier message

    def edit(self, index: int, text: str) -> None:
        """Into the prompt with it; what was written there comes back afterwards."""
        if self.editing is None:
            self._unsent = self.prompt.text
        self.editing = index
        self.prompt.show(text)
        self.prompt.focus()

    @on(EditLeft)
    def leave_editing(self) -> None:
        if self.editing is not None:
            self.editing = None
            self.prompt.show(self._unsent)

    def watch_editing(self, index: int | None) -> None:
        self.prompt.is_editing = index is not None

    # Attaching

    def ask_for_file(self) -> None:
        """The path at the prompt, where a file's was pasted; else a dialog asks for one."""
        from sparkdesk.ui.chat.attachments import read_attachment
        from sparkdesk.ui.chat.dialogs.attach import AttachScreen

        offer = self._offer()
        if offer is None:
            self.app.push_screen(AttachScreen(home=home_folder(), here=Path.cwd()), self.attach)
            return
        text, path = offer
        in_background(
            self,
            partial(read_attachment, path),
            group="attach",
            done=partial(self._attach_pasted, text),
            failed=lambda cause, hint: self.notify(f"{cause} {hint}".strip(), severity="warning", markup=False),
        )

    def attach(self, attachment: Attachment | None) -> None:
        if attachment is not None and attachment not in self.attachments:
            self.attachments = (*self.attachments, attachment)
            self.prompt.focus()

    def _attach_pasted(self, text: str, attachment: Attachment) -> None:
        self.prompt.show(self.prompt.text.replace(text, "", 1).strip())
        self.attach(attachment)

    @on(Pasted)
    def look_at_paste(self, message: Pasted) -> None:
        from sparkdesk.ui.chat.attachments import pasted_path

        path = pasted_path(message.text, home=home_folder(), here=Path.cwd())
        self._offered = (message.text.strip(), path) if path else None
        self._say_count()

    def _offer(self) -> tuple[str, Path] | None:
        """As long as the path stands at the prompt."""
        if self._offered is not None and self._offered[0] not in self.prompt.text:
            self._offered = None
        return self._offered

    @on(ChipRemoved)
    def take_off(self, message: ChipRemoved) -> None:
        self.attachments = self.attachments[: message.index] + self.attachments[message.index + 1 :]
        self.prompt.focus()

    @on(LastChipUnwanted)
    def take_last_off(self) -> None:
        self.attachments = self.attachments[:-1]

    def watch_attachments(self, attachments: tuple[Attachment, ...]) -> None:
        self.query_one(AttachmentChips).attachments = attachments
        self.count_soon()

    # Counting

    def watch_stage(self, stage: Stage) -> None:
        if stage is Stage.REPLYING:  # the count was of a message that is on its way now
            self.count, self._count_trouble = None, ""
            self._say_count()

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
        elif self.stage is Stage.READY and not self._backend.is_measuring:
            self._is_counting = True
            work = partial(self._count, self.prompt.text.strip(), self.attachments)
            in_background(self, work, group="count", done=self._show_count, failed=self._fail_to_count)

    def _count(self, text: str, attachments: tuple[Attachment, ...]) -> _Counted:
        conversation = self._backend.conversation
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
        return _Counted(bool(text or attachments), count, sizes, trouble)

    def _fail_to_count(self, cause: str, hint: str) -> None:
        self._is_counting = False
        self.notify(f"{cause} {hint}", severity="error", timeout=15, markup=False)

    def _show_count(self, counted: _Counted) -> None:
        self._is_counting = False
        self._sizes |= counted.sizes
        self.query_one(AttachmentChips).sizes = dict(self._sizes)
        if self._was_asked_meanwhile:
            self._was_asked_meanwhile = False
            self.count_soon()
        if self.stage is not Stage.REPLYING:
            self._count_trouble, self._has_words = counted.trouble, counted.has_words
            self.count = counted.count
            self._say_count()

    def _say_count(self) -> None:
        offer, count = self._offer(), self.count
        line = Content("")
        if offer is not None:
            line = Content.assemble(
                (key_name(self, "chat.attach"), "bold $primary"),
                f" attaches {safe_line(offer[1].name)} instead of its path",
            )
        elif self._count_trouble:
            line = Content.styled(safe_line(self._count_trouble), TROUBLE)
        elif count is not None:
            line = Content.styled(*count_line(count, has_words=self._has_words))
        self.prompt.border_subtitle = line
