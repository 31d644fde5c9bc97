"""The chat screen: composes the desk's widgets, and says which conversation they show."""

from collections.abc import Iterator
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.reactive import reactive
from textual.widgets import Static

from sparkdesk.ui import messages
from sparkdesk.ui.appearance import NO_LIVE
from sparkdesk.ui.chat import palette
from sparkdesk.ui.chat.draft_choice import NO_CHOICE, DraftChoice
from sparkdesk.ui.chat.live_stats import LiveFigures, LiveStats
from sparkdesk.ui.chat.message_actions import ActingScreen
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.widgets.attachment_chips import AttachmentChips
from sparkdesk.ui.chat.widgets.banner import Banner
from sparkdesk.ui.chat.widgets.empty import EmptyConversation
from sparkdesk.ui.chat.widgets.live_panel import LivePanel
from sparkdesk.ui.chat.widgets.live_strip import LiveStrip
from sparkdesk.ui.chat.widgets.loading_view import Opening
from sparkdesk.ui.chat.widgets.prompt import Prompt
from sparkdesk.ui.chat.widgets.top_bar import TopBar
from sparkdesk.ui.chat.widgets.transcript import Transcript
from sparkdesk.ui.shared.key_bar import KeyBar


class ChatScreen(ActingScreen):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "Stop", id="chat.stop", tooltip="Stop the reply, or cancel loading"),
        Binding("ctrl+n", "new_conversation", "New", id="chat.new", tooltip="Start a new conversation"),
        Binding(
            "ctrl+r",
            "reload",
            "Reload",
            id="chat.reload",
            show=False,
            tooltip="Load the model again; the conversation stays",
        ),
        Binding(
            "alt+t",
            "toggle_thoughts",
            "Thoughts",
            id="chat.thoughts",
            show=False,
            tooltip="Unfold or fold all that the model thought",
        ),
        Binding("f3", "toggle_live", "Live", id="chat.live", tooltip="Show or hide the live figures"),
        Binding(
            "ctrl+y",
            "copy_reply",
            "Copy reply",
            id="chat.copy_reply",
            show=False,
            priority=True,  # or the prompt would redo
            tooltip="Copy the last reply to the clipboard",
        ),
    ]

    choice: reactive[DraftChoice] = reactive(NO_CHOICE, repaint=False)
    """The part of the figures that the top bar shows: it changes seldom, and moves what is beside it."""
    job: reactive[str] = reactive("")
    """A download or a build that goes on while one chats."""
    left_out: reactive[int] = reactive(0)
    """Messages that the model no longer reads."""

    def compose(self) -> ComposeResult:
        yield TopBar().data_bind(
            ChatScreen.pair,
            ChatScreen.model,
            ChatScreen.speculation,
            ChatScreen.problem,
            ChatScreen.choice,
            ChatScreen.is_thinking,
            ChatScreen.has_system_prompt,
            ChatScreen.job,
        )
        with Horizontal(id="body"):
            with Vertical(id="talk"):
                with Transcript(classes="-view"):
                    yield Opening(self.desk.name)
                yield Banner()
                yield LiveStrip().data_bind(ChatScreen.figures, ChatScreen.model, ChatScreen.problem)
                yield AttachmentChips()
                yield Prompt()
            yield LivePanel().data_bind(ChatScreen.figures, ChatScreen.model, ChatScreen.problem, ChatScreen.left_out)
        yield KeyBar()

    def on_mount(self) -> None:
        self.focus_prompt()
        self.call_after_refresh(self.post_message, messages.Painted())

    async def when_open(self) -> None:
        """The conversation may have messages already: the last one goes on at the start."""
        if not self._knows_saved:
            self._knows_saved = True
            self.bring_saved()
        if self.query_one(Transcript).has_turns:
            self.tell_speculation()
            self.count_soon()
        else:
            await self.show_conversation()
        self.send_what_waits()

    # Which conversation

    async def show_conversation(self) -> None:
        """Another one became the desk's."""
        if self.editing is not None:
            self.leave_editing()
        conversation = self.desk.conversation
        self.meter = LiveStats(conversation.messages, in_all=self.meter.in_all)
        self.figures = self.meter.figures()
        self.left_out = conversation.left_out
        self.tell_speculation()
        self.show_choices()
        self.refresh_kept()
        if conversation.messages:
            self.query_one(Prompt).examples = ()
            await super().show_conversation()
        else:
            await self._show_empty()
        self.count_soon()

    async def when_settled(self) -> None:
        await super().when_settled()
        self.left_out = self.desk.conversation.left_out
        self.count_soon()

    async def _show_empty(self) -> None:
        transcript = self.query_one(Transcript)
        if self.model is None:
            await transcript.show_view(Static("A new conversation, and no model to answer yet.", classes="lead"))
            return
        self.query_one(Prompt).examples = self.desk.examples
        await transcript.show_view(EmptyConversation(self.model, self.desk.examples, problem=self.problem))

    # Other keys

    def commands(self) -> Iterator[SystemCommand]:
        """For the palette."""
        return palette.of_chat(self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return True if self.stage.allows(action) else None

    def watch_figures(self, figures: LiveFigures) -> None:
        self.choice = figures.choice

    def watch_stage(self) -> None:
        self.refresh_bindings()
        if self.stage is Stage.REPLYING:
            self.forget_count()

    def watch_shows_thoughts(self, shows_thoughts: bool) -> None:
        self.query_one(Transcript).unfold_thoughts(shows_thoughts)

    def action_stop(self) -> None:
        if self.stage is Stage.REPLYING:
            self.desk.conversation.stop()
        elif self.stage is Stage.OPENING:
            self.cancel_opening()

    @property
    def shows_live(self) -> bool:
        return not self.app.has_class(NO_LIVE)

    def action_toggle_live(self) -> None:
        """Until the program ends; the settings say how it starts."""
        self.app.toggle_class(NO_LIVE)

    def action_toggle_thoughts(self) -> None:
        self.shows_thoughts = not self.shows_thoughts

    def action_copy_reply(self) -> None:
        if self.query_one(Transcript).has_turns:
            self.app.copy_to_clipboard(self.query_one(Transcript).newest.answer)
            self.notify("Copied the last reply.", timeout=2)

    @on(messages.PageTurned)
    def turn_page(self, message: messages.PageTurned) -> None:
        self.query_one(Transcript).scroll_pages(message.pages)
