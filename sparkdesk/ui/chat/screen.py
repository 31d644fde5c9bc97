"""The chat screen: wires the parts of the chat together, and decides which of them may act."""

from collections.abc import Iterator
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen

from sparkdesk.chat.events import ReplyBroken
from sparkdesk.ui.appearance import NO_LIVE
from sparkdesk.ui.chat import bindings, palette
from sparkdesk.ui.chat.composer import Submitted
from sparkdesk.ui.chat.conversations import ConversationOpened, Conversations
from sparkdesk.ui.chat.generation_settings import GenerationSettings, SettingsChanged
from sparkdesk.ui.chat.loading import LoadEnded, ModelLoader
from sparkdesk.ui.chat.message_actions import MessageActions
from sparkdesk.ui.chat.messages import MessageActed
from sparkdesk.ui.chat.protocol import ChatBackend
from sparkdesk.ui.chat.reply_controller import FiguresChanged, ReplyController, ReplyEnded
from sparkdesk.ui.chat.sidebar_messages import SidebarMessage
from sparkdesk.ui.chat.slash_actions import SlashActions
from sparkdesk.ui.chat.slash_commands import CommandGiven
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.view import ChatView
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.messages import Painted
from sparkdesk.ui.shared.key_bar import KeyBar
from sparkdesk.ui.shared.prompt import PageTurned

HISTORY_SECONDS = 1.0
"""How often to look whether what is said is kept."""


class ChatScreen(Screen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [*bindings.BINDINGS]

    def __init__(self, backend: ChatBackend) -> None:
        super().__init__()
        self.backend = backend
        self.view = view = ChatView(backend)
        self.loader = ModelLoader(view, backend)
        self.replies = ReplyController(view, backend)
        self.generation = GenerationSettings(view, backend)
        self.conversations = Conversations(view, backend, self.loader, self.replies)
        self.actions = MessageActions(view, backend, self.replies)
        self.slash_actions = SlashActions(self, view, backend, self.conversations, self.generation, self.actions)
        # What most keys do is a part's own business.
        self.action_attach = view.composer.ask_for_file
        self.action_change_draft = self.generation.change_draft
        self.action_conversation_settings = self.generation.edit
        self.action_conversations = self.conversations.toggle_sidebar
        self.action_copy_reply = self.actions.copy_reply
        self.action_export = self.conversations.export
        self.action_open_editor = view.composer.open_editor
        self.action_go_to_newest = view.transcript.go_to_newest
        self.action_new_conversation = self.conversations.begin
        self.action_reload = self.conversations.reload
        self.action_select_message = self.actions.select
        self.action_toggle_origins = self.actions.toggle_origins
        self.action_toggle_speculation = self.generation.toggle_speculation
        self.action_toggle_thinking = self.generation.toggle_thinking
        self.action_toggle_thoughts = self.actions.toggle_thoughts

    def compose(self) -> ComposeResult:
        yield self.view
        yield KeyBar()

    def on_mount(self) -> None:
        self.replies.start()
        self.set_interval(HISTORY_SECONDS, self.conversations.watch_history)
        self.view.composer.prompt.focus()
        self.call_after_refresh(self.post_message, Painted())

    def on_screen_suspend(self) -> None:
        self.query_one(KeyBar).refresh()

    def on_screen_resume(self) -> None:
        self.query_one(KeyBar).refresh()

    @property
    def stage(self) -> Stage:
        return self.view.stage

    @on(LoadEnded)
    async def take_model(self) -> None:
        """The new one, or that of before; the conversation may have messages: the last one goes on at the start."""
        view, model, before = self.view, self.backend.model, self.view.model
        view.stage = Stage.READY if model is not None else Stage.DOWN
        if model is None:
            return
        self.generation.use(model)
        view.use(model, problem=self.generation.problem)
        if before is None:
            self.replies.load_totals()
        elif view.model is not None and (before.name, before.draft_name) != (view.model.name, view.model.draft_name):
            self.replies.forget_model()
        if view.transcript.has_turns:
            self.generation.apply()
        else:
            await self.show_conversation()
        view.composer.submit_held()

    @on(ConversationOpened)
    async def show_conversation(self) -> None:
        self.view.left_out = self.backend.conversation.left_out
        self.generation.apply()
        self.conversations.refresh()
        await self.replies.show_conversation()

    @on(Submitted)
    async def send(self, message: Submitted) -> None:
        self.view.composer.hold(message.text if self.stage is Stage.LOADING else "")
        await self.actions.send(message)

    @on(ReplyEnded)
    async def settle(self, message: ReplyEnded) -> None:
        is_down = isinstance(message.end, ReplyBroken) and message.end.needs_reload
        self.view.stage = Stage.DOWN if is_down else Stage.READY
        self.view.composer.end_reply(is_unanswered=message.is_unanswered)
        self.view.left_out = self.backend.conversation.left_out
        await self.conversations.after_reply()

    @on(FiguresChanged)
    def show_figures(self, message: FiguresChanged) -> None:
        self.view.figures = message.figures

    @on(SettingsChanged)
    def show_settings(self, message: SettingsChanged) -> None:
        self.view.speculation, self.view.is_thinking = message.speculation, message.is_thinking
        self.view.has_system_prompt = message.has_system_prompt
        if message.is_other_length:
            self.replies.forget_choice()
        self.view.composer.count_soon()

    # What widgets and keys ask for

    @on(MessageActed)
    async def act(self, message: MessageActed) -> None:
        await self.actions.act(message)

    @on(SidebarMessage)
    async def pass_on(self, message: SidebarMessage) -> None:
        await self.conversations.handle(message)

    @on(PageTurned)
    def turn_page(self, message: PageTurned) -> None:
        self.view.transcript.scroll_pages(message.pages)

    def commands(self) -> Iterator[SystemCommand]:
        """For the palette."""
        return palette.of_chat(self, self.stage, self.backend, self.generation, self.conversations, self.actions)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "reload" and self.stage is Stage.REPLYING:
            return True if self.backend.is_stalled else None
        return True if self.stage.allows(action) else None

    def action_stop(self) -> None:
        (self.replies.insist if self.stage is Stage.REPLYING else self.loader.cancel)()

    def action_interrupt(self) -> None:
        """Ctrl+C, as in a terminal: copies what is selected, stops, clears, and only then says how to leave."""
        if selected := self.view.composer.prompt.selected_text or self.get_selected_text():
            self.app.copy_to_clipboard(selected)
        elif self.stage is Stage.REPLYING:
            self.replies.insist()
        elif not self.view.composer.clear():
            self.notify(f"{key_name(self, 'desk.quit')} quits.", timeout=3)

    @on(CommandGiven)
    async def run_command(self, message: CommandGiven) -> None:
        await self.slash_actions.run(message)

    def action_toggle_live(self) -> None:
        """Until the program ends; the settings say how it starts."""
        self.app.toggle_class(NO_LIVE)
