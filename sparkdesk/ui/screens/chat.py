"""The chat screen: composes the desk's widgets, and decides what its keys do."""

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.reactive import reactive

from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.ui import chat_commands, messages
from sparkdesk.ui.choice import NO_CHOICE, DraftChoice
from sparkdesk.ui.desk import Desk
from sparkdesk.ui.meter import LiveFigures, Meter
from sparkdesk.ui.screens.replying import ReplyingScreen
from sparkdesk.ui.stage import Stage
from sparkdesk.ui.widgets.banner import Banner
from sparkdesk.ui.widgets.empty import EmptyConversation
from sparkdesk.ui.widgets.key_bar import KeyBar
from sparkdesk.ui.widgets.live_panel import LivePanel
from sparkdesk.ui.widgets.live_strip import LiveStrip
from sparkdesk.ui.widgets.opening import Opening
from sparkdesk.ui.widgets.prompt import Prompt
from sparkdesk.ui.widgets.switch import draft_words
from sparkdesk.ui.widgets.top_bar import TopBar
from sparkdesk.ui.widgets.transcript import Transcript


class ChatScreen(ReplyingScreen):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+s,f4",
            "toggle_speculation",
            "Speculation",
            tooltip="Switch speculation, also in mid-reply",
            id="chat.speculation",
        ),
        # With priority: the prompt, being a text area, would select a line on F6.
        Binding(
            "f5",
            "change_draft(-1)",
            "Shorter draft",
            show=False,
            priority=True,
            tooltip="Draft a token less",
            id="chat.shorter_draft",
        ),
        Binding(
            "f6",
            "change_draft(1)",
            "Longer draft",
            show=False,
            priority=True,
            tooltip="Draft a token more",
            id="chat.longer_draft",
        ),
        Binding("escape", "stop", "Stop", tooltip="Stop the reply, or cancel loading", id="chat.stop"),
        Binding("ctrl+n", "new_conversation", "New", tooltip="Start a new conversation", id="chat.new"),
        Binding(
            "ctrl+r",
            "reload",
            "Reload",
            show=False,
            tooltip="Load the model again; the conversation stays",
            id="chat.reload",
        ),
        Binding(
            "ctrl+t",
            "toggle_thoughts",
            "Thoughts",
            show=False,
            tooltip="Unfold or fold what the model thought",
            id="chat.thoughts",
        ),
        Binding("f3", "toggle_live", "Live", tooltip="Show or hide the live figures", id="chat.live"),
        Binding(
            "ctrl+y",
            "copy_reply",
            "Copy reply",
            show=False,
            priority=True,  # or the prompt would redo
            tooltip="Copy the last reply to the clipboard",
            id="chat.copy_reply",
        ),
    ]

    speculation: reactive[SpeculationSettings] = reactive(SpeculationSettings())
    choice: reactive[DraftChoice] = reactive(NO_CHOICE, repaint=False)
    """The part of the figures that the top bar shows: it changes seldom, and moves what is beside it."""
    shows_live: reactive[bool] = reactive(True, init=False)

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._clears_after_reply = False
        self.set_reactive(ChatScreen.speculation, desk.speculation)

    def compose(self) -> ComposeResult:
        yield TopBar().data_bind(
            ChatScreen.pair, ChatScreen.model, ChatScreen.speculation, ChatScreen.problem, ChatScreen.choice
        )
        with Horizontal(id="body"):
            with Vertical(id="talk"):
                with Transcript(classes="-view"):
                    yield Opening(self.desk.name)
                yield Banner()
                yield LiveStrip().data_bind(ChatScreen.figures, ChatScreen.model, ChatScreen.problem)
                yield Prompt()
            yield LivePanel().data_bind(ChatScreen.figures, ChatScreen.model, ChatScreen.problem)
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(Prompt).focus()
        self.call_after_refresh(self.post_message, messages.Painted())

    async def when_open(self) -> None:
        self._tell_speculation()
        if not self.query_one(Transcript).has_turns:
            await self._show_empty()

    async def when_settled(self) -> None:
        if self._clears_after_reply:
            self._clears_after_reply = False
            await self.action_new_conversation()

    # Speculation

    @on(messages.SwitchPressed)
    def action_toggle_speculation(self) -> None:
        self.set_speculation(replace(self.speculation, is_enabled=not self.speculation.is_enabled))

    def action_change_draft(self, step: int) -> None:
        longest = self.model.block_size if self.model else 0
        length = max(0, min(longest, (self.speculation.draft_length or 0) + step))
        self.set_speculation(replace(self.speculation, draft_length=length or None))

    def set_speculation(self, wanted: SpeculationSettings) -> None:
        """Holds from the engine's next round on; nothing is loaded or read again for it."""
        if self.problem:
            self.notify(f"Nothing to switch: {self.problem}", severity="warning")
            return
        if wanted.draft_length != self.speculation.draft_length:
            self.notify(f"Speculation with {draft_words(wanted.draft_length)}", timeout=2)
            self.meter.forget_choice()
        self.speculation = wanted
        self._tell_speculation()

    def _tell_speculation(self) -> None:
        if self.model is not None:
            self.desk.conversation.set_speculation(self.speculation.is_enabled, self.speculation.draft_length)

    # Other keys

    def commands(self) -> Iterator[SystemCommand]:
        """For the palette."""
        return chat_commands.of_chat(self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return True if self.stage.allows(action) else None

    def watch_figures(self, figures: LiveFigures) -> None:
        self.choice = figures.choice

    def watch_stage(self) -> None:
        self.refresh_bindings()

    def watch_shows_live(self, shows_live: bool) -> None:
        self.set_class(not shows_live, "-no-live")

    def watch_shows_thoughts(self, shows_thoughts: bool) -> None:
        self.query_one(Transcript).unfold_thoughts(shows_thoughts)

    def action_stop(self) -> None:
        if self.stage is Stage.REPLYING:
            self.desk.conversation.stop()
        elif self.stage is Stage.OPENING:
            self.cancel_opening()

    async def action_new_conversation(self) -> None:
        """In mid-reply the reply is stopped first, and the rest waits for its end."""
        if self.stage is Stage.REPLYING:
            self._clears_after_reply = True
            self.desk.conversation.stop()
            return
        if self.model is None:
            return
        self.desk.start_conversation()
        self.meter = Meter()
        self.figures = self.meter.figures()
        await self._show_empty()

    def action_toggle_live(self) -> None:
        self.shows_live = not self.shows_live

    def action_toggle_thoughts(self) -> None:
        self.shows_thoughts = not self.shows_thoughts

    def action_copy_reply(self) -> None:
        if self.query_one(Transcript).has_turns:
            self.app.copy_to_clipboard(self.query_one(Transcript).newest.answer)
            self.notify("Copied the last reply.", timeout=2)

    @on(messages.PageTurned)
    def turn_page(self, message: messages.PageTurned) -> None:
        self.query_one(Transcript).scroll_pages(message.pages)

    async def _show_empty(self) -> None:
        if self.model is not None:
            self.query_one(Prompt).examples = self.desk.examples
            view = EmptyConversation(self.model, self.desk.examples, problem=self.problem)
            await self.query_one(Transcript).show_view(view)
