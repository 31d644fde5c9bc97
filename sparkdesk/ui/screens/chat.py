"""The chat screen: owns the worker that makes replies, and decides what its widgets show."""

from dataclasses import replace
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.reactive import reactive
from textual.widgets import Footer
from textual.worker import Worker, WorkerState, get_current_worker

from sparkdesk.chat.events import ReplyBroken, ReplyFinished
from sparkdesk.engine.settings import SpeculationSettings
from sparkdesk.errors import SparkDeskError
from sparkdesk.ui import endings, messages
from sparkdesk.ui.batches import Inbox, until
from sparkdesk.ui.choice import NO_CHOICE, DraftChoice
from sparkdesk.ui.desk import Desk
from sparkdesk.ui.meter import LiveFigures, Meter
from sparkdesk.ui.pace import INTERVAL_S, Pace
from sparkdesk.ui.screens.opening import OpeningScreen
from sparkdesk.ui.stage import Stage
from sparkdesk.ui.widgets.banner import Banner
from sparkdesk.ui.widgets.empty import EmptyConversation
from sparkdesk.ui.widgets.live_panel import LivePanel
from sparkdesk.ui.widgets.live_strip import LiveStrip
from sparkdesk.ui.widgets.opening import Opening
from sparkdesk.ui.widgets.prompt import Prompt
from sparkdesk.ui.widgets.switch import draft_words
from sparkdesk.ui.widgets.top_bar import TopBar
from sparkdesk.ui.widgets.transcript import Transcript


class ChatScreen(OpeningScreen):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,f4", "toggle_speculation", "Speculation", tooltip="Switch speculation, also in mid-reply"),
        # With priority: the prompt, being a text area, would select a line on F6.
        Binding("f5", "change_draft(-1)", "Shorter draft", show=False, priority=True, tooltip="Draft a token less"),
        Binding("f6", "change_draft(1)", "Longer draft", show=False, priority=True, tooltip="Draft a token more"),
        Binding("escape", "stop", "Stop", tooltip="Stop the reply, or cancel loading"),
        Binding("ctrl+n", "new_conversation", "New", tooltip="Start a new conversation"),
        Binding("ctrl+r", "reload", "Reload", show=False, tooltip="Load the model again; the conversation stays"),
        Binding("ctrl+t", "toggle_thoughts", "Thoughts", show=False, tooltip="Unfold or fold what the model thought"),
        Binding("f3", "toggle_live", "Live", tooltip="Show or hide the live figures"),
        Binding("f2", "copy_reply", "Copy reply", show=False, tooltip="Copy the last reply to the clipboard"),
    ]

    speculation: reactive[SpeculationSettings] = reactive(SpeculationSettings())
    figures: reactive[LiveFigures] = reactive(LiveFigures())
    choice: reactive[DraftChoice] = reactive(NO_CHOICE)
    """The part of the figures that the top bar shows: it changes seldom, and moves what is beside it."""
    shows_live: reactive[bool] = reactive(True, init=False)
    shows_thoughts: reactive[bool] = reactive(False, init=False)

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._meter = Meter()
        self._inbox = Inbox()
        self._pace = Pace()
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
        yield Footer()

    def on_mount(self) -> None:
        self.query_one(Prompt).focus()
        self.set_interval(INTERVAL_S, self.show_reply_at_pace)
        self.call_after_refresh(self.post_message, messages.Painted())

    async def when_open(self) -> None:
        self._tell_speculation()
        if not self.query_one(Transcript).has_turns:
            await self._show_empty()

    # Replies

    @on(messages.PromptSent)
    async def send(self, message: messages.PromptSent) -> None:
        if self.stage is not Stage.READY:
            self.notify(self.stage.why_not_send, severity="warning")
            return
        prompt = self.query_one(Prompt)
        prompt.accept(message.text)
        prompt.examples = ()
        prompt.focus()
        self.stage = Stage.REPLYING
        self.query_one(Banner).rest()
        await self.query_one(Transcript).add_turn(message.text, shows_thought=self.shows_thoughts)
        self._meter.begin_reply()
        self.figures = self._meter.figures()
        self.query_one(Transcript).newest.say("reading the prompt …")
        self.reply(message.text)

    @work(thread=True, exclusive=True, group="chat", exit_on_error=False)
    def reply(self, text: str) -> None:
        worker = get_current_worker()
        try:
            for event in until(self.desk.conversation.reply(text), has_ended=lambda: worker.is_cancelled):
                self._inbox.put(event)
        except SparkDeskError as error:
            self.post_message(messages.ReplyRefused(text, error.message, error.hint))

    async def show_reply_at_pace(self) -> None:
        if self._pace.is_due and not self._inbox.is_empty:
            self._pace.begin()
            await self.show_reply()

    async def show_reply(self) -> None:
        """Take in what the worker has brought since the last time."""
        batch = self._inbox.take()
        if batch is None:
            return
        reply = self.query_one(Transcript).newest
        if batch.prefill:
            self._meter.read_prompt(batch.prefill)
        self._meter.add(batch.advances)
        await reply.write(batch.text)
        if batch.end is None:
            self.figures = self._meter.figures()
            reply.say(endings.running_line(self.figures))
            self.query_one(Transcript).follow()
        elif isinstance(batch.end, ReplyFinished):
            await reply.finish(batch.end.text)
            reply.say(endings.finished_line(batch.end, parked_rounds=self._meter.parked_rounds))
            await self._settle(batch.end)
        else:
            await self._break_reply(batch.end)

    @on(messages.ReplyRefused)
    async def give_back(self, message: messages.ReplyRefused) -> None:
        """Nothing came of it: the words go back to where they can be changed."""
        await self.show_reply()
        needs_reload = self.desk.model is None
        await self._break_reply(ReplyBroken("", message.cause, message.hint, needs_reload=needs_reload))
        prompt = self.query_one(Prompt)
        if not prompt.text:
            prompt.show(message.text)

    @on(Worker.StateChanged)
    async def show_failed_reply(self, event: Worker.StateChanged) -> None:
        error = event.worker.error
        if event.worker.group == "chat" and event.state is WorkerState.ERROR and error is not None:
            hint = "This is a bug in SparkDesk."
            await self.show_reply()
            await self._break_reply(ReplyBroken("", endings.unexpected(error), hint, needs_reload=True))

    async def _break_reply(self, broken: ReplyBroken) -> None:
        reply = self.query_one(Transcript).newest
        await reply.finish(broken.text or reply.text)
        reply.mark(broken.cause, broken.hint)
        stats = self._meter.reply if reply.text else None
        reply.say(endings.broken_line(stats, parked_rounds=self._meter.parked_rounds))
        if broken.needs_reload:
            self.go_down(broken.cause, "What came so far is kept.", "Ctrl+R reloads")
        await self._settle(None)

    async def _settle(self, end: ReplyFinished | None) -> None:
        self._meter.end_reply(end.stats if end else None)
        self.figures = self._meter.figures()
        if self.stage is Stage.REPLYING:
            self.stage = Stage.READY
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
            self._meter.forget_choice()
        self.speculation = wanted
        self._tell_speculation()

    def _tell_speculation(self) -> None:
        if self.model is not None:
            self.desk.conversation.set_speculation(self.speculation.is_enabled, self.speculation.draft_length)

    # Other keys

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
        self.desk.conversation.clear()
        self._meter = Meter()
        self.figures = self._meter.figures()
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
        transcript = self.query_one(Transcript)
        if message.pages < 0:
            transcript.scroll_page_up()
        else:
            transcript.scroll_page_down()

    async def _show_empty(self) -> None:
        if self.model is not None:
            self.query_one(Prompt).examples = self.desk.examples
            view = EmptyConversation(self.model, self.desk.examples, problem=self.problem)
            await self.query_one(Transcript).show_view(view)
