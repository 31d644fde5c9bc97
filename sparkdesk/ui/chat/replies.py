"""The half of the chat screen that makes replies: one way of streaming them, whatever they begin with."""

import time
from collections.abc import Callable, Iterator
from functools import partial

from textual import on, work
from textual.reactive import reactive
from textual.worker import Worker, WorkerState, get_current_worker

from sparkdesk.chat.events import ReplyBroken, ReplyEvent, ReplyFinished
from sparkdesk.chat.messages import Attachment
from sparkdesk.errors import SparkDeskError
from sparkdesk.ui import messages
from sparkdesk.ui.chat import status_lines
from sparkdesk.ui.chat.live_stats import LiveFigures, LiveStats
from sparkdesk.ui.chat.loading import OpeningScreen
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.chat.widgets.banner import Banner
from sparkdesk.ui.chat.widgets.prompt import Prompt
from sparkdesk.ui.chat.widgets.transcript import Transcript
from sparkdesk.ui.desk import Desk
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.shared.event_queue import Inbox, until
from sparkdesk.ui.shared.frame_pacer import INTERVAL_S, Pace

FIGURES_INTERVAL_S = 0.2
_BENCH_HAS_IT = "The bench is measuring with this model. {} goes there, where it can be stopped."


class ReplyingScreen(OpeningScreen):
    """Owns the worker that makes replies, and the figures they bring."""

    figures: reactive[LiveFigures] = reactive(LiveFigures(), repaint=False)
    """The sections they are bound to are redrawn, not the whole screen."""
    shows_thoughts: reactive[bool] = reactive(False, init=False)

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.meter = LiveStats()
        self._inbox = Inbox()
        self._pace = Pace()
        self._figures_at_s = 0.0
        self._has_newer_figures = False
        """Which were not due yet; the engine may take long to bring the next."""
        self._waits_to_send = ""
        """Sent while there was no model yet."""
        self._words = ""
        """What the reply in the making answers."""

    def on_mount(self) -> None:
        self.set_interval(INTERVAL_S, self.show_reply_at_pace)

    async def when_settled(self) -> None:
        """A reply has ended, however it did."""

    async def show_conversation(self) -> None:
        """The desk's conversation, as it is kept; one without messages is the screen's business."""
        await self._show_messages()

    async def _show_messages(self) -> None:
        conversation = self.desk.conversation
        await self.query_one(Transcript).show_messages(
            conversation.messages,
            conversation.branch,
            model=self.model.name if self.model else "",
            left_out=conversation.left_out,
        )

    def take_attachments(self) -> tuple[Attachment, ...]:
        """What goes with the message that is being sent."""
        return ()

    def words_came_back(self) -> None:
        """They are in the prompt again."""

    def give_attachments_back(self) -> None:
        """It was refused."""

    # Ways to begin

    @on(messages.PromptSent)
    async def send(self, message: messages.PromptSent) -> None:
        self._waits_to_send = message.text if self.stage is Stage.OPENING else ""
        if not self.can_reply():
            return
        prompt = self.query_one(Prompt)
        prompt.accept(message.text)
        prompt.examples = ()
        prompt.focus()
        await self.begin(message.text)

    def send_what_waits(self) -> None:
        """What was sent while the model was loading, if it still stands there as it was."""
        waiting, self._waits_to_send = self._waits_to_send, ""
        if waiting and self.query_one(Prompt).text.strip() == waiting:
            self.post_message(messages.PromptSent(waiting))

    async def begin(self, text: str) -> None:
        """What was written becomes a message, and a reply is made."""
        attachments, conversation = self.take_attachments(), self.desk.conversation
        await self.query_one(Transcript).begin_turn(text, attachments, len(conversation.messages))
        self.stream(lambda: conversation.reply(text, attachments), text)

    def can_reply(self) -> bool:
        """When not, the user is told why."""
        why_not = self.stage.why_not_send(partial(key_name, self)) or self.why_bench_first()
        if why_not:
            self.notify(why_not, severity="warning")
        return not why_not

    def why_bench_first(self) -> str:
        """Where the bench has the engine; else empty."""
        return _BENCH_HAS_IT.format(key_name(self, "desk.bench")) if self.desk.is_measuring else ""

    def stream(self, events: Callable[[], Iterator[ReplyEvent]], words: str = "") -> None:
        """Make a reply, into the newest of the transcript. `words` go back to the prompt when nothing comes of them."""
        self.stage = Stage.REPLYING
        self.query_one(Banner).rest()
        self.meter.begin_reply()
        self.figures = self.meter.figures()
        self._say("reading the prompt …")
        self._words = words
        self.make_reply(events)

    @work(thread=True, exclusive=True, group="chat", exit_on_error=False)
    def make_reply(self, events: Callable[[], Iterator[ReplyEvent]]) -> None:
        worker = get_current_worker()
        try:
            for event in until(events(), has_ended=lambda: worker.is_cancelled):
                self._inbox.put(event)
        except SparkDeskError as error:
            self.post_message(messages.ReplyRefused(error.message, error.hint))

    # While it comes

    async def show_reply_at_pace(self) -> None:
        if self._pace.is_due and not self._inbox.is_empty:
            self._pace.begin()
            await self.show_reply()
        elif self._has_newer_figures and self.stage is Stage.REPLYING:
            self._show_figures_at_pace()

    async def show_reply(self) -> None:
        """Take in what the worker has brought since the last time."""
        batch = self._inbox.take()
        if batch is None:
            return
        transcript = self.query_one(Transcript)
        if batch.trimmed:
            transcript.cut(batch.trimmed.left_out)
        if batch.prefill:
            self.meter.read_prompt(batch.prefill)
        self.meter.add(batch.advances)
        transcript.write(batch.text, batch.stretches, batch.rounds)
        if batch.end is None:
            self._show_figures_at_pace()
            self._say(status_lines.running_line(self.figures, stop_key=key_name(self, "chat.stop")))
        elif isinstance(batch.end, ReplyFinished):
            transcript.newest.finish(batch.end.text)
            parked_rounds = self.meter.parked_rounds
            self._say(status_lines.finished_line(batch.end, parked_rounds=parked_rounds, way_out=self._way_out()))
            await self._settle(batch.end)
        else:
            await self._break_reply(batch.end)

    def _show_figures_at_pace(self) -> None:
        """Figures are read more slowly than text, and to draw them all takes longer than a few words."""
        if time.monotonic() - self._figures_at_s >= FIGURES_INTERVAL_S or self.figures.prefill != self.meter.prefill:
            self._figures_at_s = time.monotonic()
            self._has_newer_figures = False
            self.figures = self.meter.figures()
        else:
            self._has_newer_figures = True

    def _way_out(self) -> str:
        """Of a context that is full: what was said before this turn can be left out, if there is any."""
        if len(self.desk.conversation.messages) > 2:
            select, go_on = (key_name(self, key_id) for key_id in ("chat.select_above", "message.go_on"))
            return f"{select}, {go_on} goes on without the oldest messages"
        return f"{key_name(self, 'chat.new')} starts a new conversation"

    def _say(self, line: str) -> None:
        """Below the newest reply."""
        transcript = self.query_one(Transcript)
        transcript.newest.say(line)
        transcript.redraw()

    # Its end

    @on(messages.ReplyRefused)
    async def give_back(self, message: messages.ReplyRefused) -> None:
        await self.show_reply()
        needs_reload = self.desk.model is None
        await self._break_reply(ReplyBroken("", message.cause, message.hint, needs_reload=needs_reload))

    @on(Worker.StateChanged)
    async def show_failed_reply(self, event: Worker.StateChanged) -> None:
        error = event.worker.error
        if event.worker.group == "chat" and event.state is WorkerState.ERROR and error is not None:
            hint = "This is a bug in SparkDesk."
            await self.show_reply()
            await self._break_reply(ReplyBroken("", status_lines.unexpected(error), hint, needs_reload=True))

    async def _break_reply(self, broken: ReplyBroken) -> None:
        reply = self.query_one(Transcript).newest
        reply.finish(broken.text or reply.text)
        reply.mark(broken.cause, broken.hint)
        stats = self.meter.reply if reply.text else None
        self._say(status_lines.broken_line(stats, parked_rounds=self.meter.parked_rounds))
        if broken.needs_reload:
            self.go_down(broken.cause, "What came so far is kept.", f"{key_name(self, 'chat.reload')} reloads")
        await self._settle(broken)
        if not reply.text:
            self._give_words_back()

    def _give_words_back(self) -> None:
        """Nothing came of them: they go back to where they can be changed."""
        prompt = self.query_one(Prompt)
        if self._words and not prompt.text:
            prompt.show(self._words)
            self.give_attachments_back()
            self.words_came_back()

    async def _settle(self, end: ReplyFinished | ReplyBroken) -> None:
        await self._show_what_is_kept(end if isinstance(end, ReplyBroken) else None)
        self.meter.end_reply(end.stats if isinstance(end, ReplyFinished) else None)
        self.figures = self.meter.figures()
        if self.stage is Stage.REPLYING:
            self.stage = Stage.READY
        await self.when_settled()

    async def _show_what_is_kept(self, broken: ReplyBroken | None) -> None:
        """When nothing came in the place of an older message, that one is still there."""
        conversation, transcript = self.desk.conversation, self.query_one(Transcript)
        if not transcript.newest.text and len(conversation.messages) >= transcript.count:
            await self._show_messages()
            if broken is not None and not broken.needs_reload:
                self.query_one(Banner).warn(broken.cause, broken.hint, "")
        else:
            transcript.know(conversation.messages, conversation.branch)
